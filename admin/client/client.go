// Package client speaks to the admin API of a running gateway: what an operator does
// at the command line is done through it. It knows paths and errors, and decides
// nothing.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/admin"
	"github.com/understudy-ai/understudy/continuity/drill"
	"github.com/understudy-ai/understudy/continuity/evacuate"
	"github.com/understudy-ai/understudy/llm"
)

type (
	// DrillSpec is what a drill is asked to do.
	DrillSpec = drill.Spec
	// DrillReport is what came of a drill.
	DrillReport = drill.Report
	// DrillGroup counts the calls of one kind in a report.
	DrillGroup = drill.Group
	// EvacuationPlan says what an evacuation would do.
	EvacuationPlan = evacuate.Plan
	// EvacuationModel is what becomes of a model in it.
	EvacuationModel = evacuate.ModelPlan
	// EvacuationStatus is how far an evacuation is.
	EvacuationStatus = evacuate.Status
	// TargetHealth is how a target fares.
	TargetHealth = admin.TargetHealth
	// Key is a virtual key.
	Key = admin.ShownKey
	// KeySpec is what a key is to be.
	KeySpec = access.Spec
	// KeyLimits bound how much a key may have.
	KeyLimits = access.Limits
	// KeyChange is what is to change of a key.
	KeyChange = admin.KeyChange
	// Administrator is somebody who may use the API by a token of their own.
	Administrator = admin.ShownAdministrator
	// AdministratorSpec is what is said of an administrator.
	AdministratorSpec = access.AdministratorSpec
	// AdministratorChange is what is to change of an administrator.
	AdministratorChange = admin.AdministratorChange
	// Role is what an administrator may do.
	Role = access.Role
	// Budget is how much an account may spend, and how it stands.
	Budget = admin.Budget
	// BudgetTerms are what a budget is to be.
	BudgetTerms = admin.BudgetTerms
	// UsageRow is a row of a report of usage.
	UsageRow = admin.UsageRow
	// Verification is what holding the ledger to its invariants has found.
	Verification = admin.Verification
	// Fault is one that a drill can put in the way.
	Fault = drill.Fault
)

// Client asks one gateway. It may be used concurrently.
type Client struct {
	root  string
	token string
	http  *http.Client
}

// patience bounds one request: the API answers at once, but for the end of a drill.
const patience = 30 * time.Second

// New returns a client of the admin listener at an address.
func New(address, token string) *Client {
	return &Client{
		root: "http://" + address, token: token,
		// Without a proxy: the listener is not on the internet.
		http: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: patience}},
	}
}

// Close lets go of the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is the API's refusal.
type Error struct {
	Status  int
	Code    llm.Code
	Message string
}

// Error returns the API's own words.
func (e *Error) Error() string { return e.Message }

// IsTokenUnknown reports whether the gateway does not take the token.
func (e *Error) IsTokenUnknown() bool { return e.Code == llm.CodeAuthentication }

// UnreachableError is an API that did not answer.
type UnreachableError struct {
	Address string
	Err     error
}

// Error names the address and the cause.
func (e *UnreachableError) Error() string {
	cause := e.Err
	var op *net.OpError
	if errors.As(cause, &op) {
		cause = op.Err // the address is named already
	}
	return "no gateway answers at the admin address " + e.Address + ": " + cause.Error()
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// do sends a request and reads the answer into out.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.root+path, body)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &UnreachableError{Address: req.URL.Host, Err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var refusal struct {
			Error struct {
				Code    llm.Code `json:"code"`
				Message string   `json:"message"`
			} `json:"error"`
		}
		if err := json.Unmarshal(text, &refusal); err != nil || refusal.Error.Message == "" {
			return &Error{Status: resp.StatusCode, Message: "what answers at the admin address is no gateway: HTTP " + resp.Status}
		}
		return &Error{resp.StatusCode, refusal.Error.Code, refusal.Error.Message}
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// ask sends a request, and returns what the answer holds.
func ask[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	err := c.do(ctx, method, path, in, &out)
	return out, err
}

// list reads all pages of a list.
func list[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	return listOf[T](ctx, c, path, url.Values{})
}

// listOf is list with parameters.
func listOf[T any](ctx context.Context, c *Client, path string, q url.Values) ([]T, error) {
	all := []T{}
	q.Set("limit", "500")
	for after := ""; ; {
		q.Set("after", after)
		p, err := ask[admin.List[T]](ctx, c, http.MethodGet, path+"?"+q.Encode(), nil)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Data...)
		if after = p.Next; after == "" {
			return all, nil
		}
	}
}

func drillPath(id string) string { return "/v1/drills/" + url.PathEscape(id) }

// Faults lists the faults that a drill can put in the way.
func (c *Client) Faults(ctx context.Context) ([]Fault, error) {
	return list[Fault](ctx, c, "/v1/faults")
}

// StartDrill starts a drill under an id of the caller's choice.
func (c *Client) StartDrill(ctx context.Context, id string, s DrillSpec) (DrillReport, error) {
	return ask[DrillReport](ctx, c, http.MethodPut, drillPath(id), s)
}

// StopDrill ends a drill.
func (c *Client) StopDrill(ctx context.Context, id string) (DrillReport, error) {
	return ask[DrillReport](ctx, c, http.MethodPost, drillPath(id)+"/stop", nil)
}

// Drill returns a drill's report, as far as it has come.
func (c *Client) Drill(ctx context.Context, id string) (DrillReport, error) {
	return ask[DrillReport](ctx, c, http.MethodGet, drillPath(id), nil)
}

// Drills lists the drills, the latest id first.
func (c *Client) Drills(ctx context.Context) ([]DrillReport, error) {
	return list[DrillReport](ctx, c, "/v1/drills")
}

func evacuationPath(provider string) string { return "/v1/evacuations/" + url.PathEscape(provider) }

// PlanEvacuation says what an evacuation of a provider would do.
func (c *Client) PlanEvacuation(ctx context.Context, provider string) (EvacuationPlan, error) {
	return ask[EvacuationPlan](ctx, c, http.MethodGet, evacuationPath(provider)+"/plan", nil)
}

// Evacuation returns how far the evacuation of a provider is.
func (c *Client) Evacuation(ctx context.Context, provider string) (EvacuationStatus, error) {
	return ask[EvacuationStatus](ctx, c, http.MethodGet, evacuationPath(provider), nil)
}

// Evacuate moves all traffic off a provider.
func (c *Client) Evacuate(ctx context.Context, provider string, ramp time.Duration) (EvacuationStatus, error) {
	return ask[EvacuationStatus](ctx, c, http.MethodPut, evacuationPath(provider), admin.Ramp{Seconds: ramp.Seconds()})
}

// Restore brings a provider back.
func (c *Client) Restore(ctx context.Context, provider string, ramp time.Duration) (EvacuationStatus, error) {
	seconds := strconv.FormatFloat(ramp.Seconds(), 'f', -1, 64)
	return ask[EvacuationStatus](ctx, c, http.MethodDelete, evacuationPath(provider)+"?ramp_seconds="+seconds, nil)
}

// Health lists every target's state.
func (c *Client) Health(ctx context.Context) ([]TargetHealth, error) {
	return list[TargetHealth](ctx, c, "/v1/health")
}

// Forget drops what the gateway knows of a provider's failures.
func (c *Client) Forget(ctx context.Context, provider string) (TargetHealth, error) {
	return ask[TargetHealth](ctx, c, http.MethodPost, "/v1/health/"+url.PathEscape(provider)+"/forget", nil)
}

func keyPath(id string) string { return "/v1/keys/" + url.PathEscape(id) }

// Keys lists the keys, by id.
func (c *Client) Keys(ctx context.Context) ([]Key, error) { return list[Key](ctx, c, "/v1/keys") }

// Key returns a key, without its text.
func (c *Client) Key(ctx context.Context, id string) (Key, error) {
	return ask[Key](ctx, c, http.MethodGet, keyPath(id), nil)
}

// CreateKey makes a key under an id of the caller's choice; the answer has its text.
func (c *Client) CreateKey(ctx context.Context, id string, s KeySpec) (Key, error) {
	return ask[Key](ctx, c, http.MethodPut, keyPath(id), s)
}

// ChangeKey changes what a key may do.
func (c *Client) ChangeKey(ctx context.Context, id string, change KeyChange) (Key, error) {
	return ask[Key](ctx, c, http.MethodPatch, keyPath(id), change)
}

// RotateKey gives a key another text, which the answer has; what it was before is taken for a while.
func (c *Client) RotateKey(ctx context.Context, id, rotation string, overlap time.Duration) (Key, error) {
	return ask[Key](ctx, c, http.MethodPut, keyPath(id)+"/rotations/"+url.PathEscape(rotation), admin.Rotation{OverlapSeconds: overlap.Seconds()})
}

// RevokeKey ends a key, for good.
func (c *Client) RevokeKey(ctx context.Context, id string) (Key, error) {
	return ask[Key](ctx, c, http.MethodDelete, keyPath(id), nil)
}

func administratorPath(name string) string { return "/v1/administrators/" + url.PathEscape(name) }

// Administrators lists the administrators, by name.
func (c *Client) Administrators(ctx context.Context) ([]Administrator, error) {
	return list[Administrator](ctx, c, "/v1/administrators")
}

// AddAdministrator makes somebody an administrator; the answer has the token.
func (c *Client) AddAdministrator(ctx context.Context, name string, s AdministratorSpec) (Administrator, error) {
	return ask[Administrator](ctx, c, http.MethodPut, administratorPath(name), s)
}

// ChangeAdministrator changes what an administrator may do.
func (c *Client) ChangeAdministrator(ctx context.Context, name string, change AdministratorChange) (Administrator, error) {
	return ask[Administrator](ctx, c, http.MethodPatch, administratorPath(name), change)
}

// RotateAdministrator gives an administrator another token, which the answer has; the one before is taken for a while.
func (c *Client) RotateAdministrator(ctx context.Context, name, rotation string, overlap time.Duration) (Administrator, error) {
	path := administratorPath(name) + "/rotations/" + url.PathEscape(rotation)
	return ask[Administrator](ctx, c, http.MethodPut, path, admin.Rotation{OverlapSeconds: overlap.Seconds()})
}

// RevokeAdministrator ends an administrator's token, for good.
func (c *Client) RevokeAdministrator(ctx context.Context, name string) (Administrator, error) {
	return ask[Administrator](ctx, c, http.MethodDelete, administratorPath(name), nil)
}

func budgetPath(account, period string) string {
	return "/v1/budgets/" + url.PathEscape(account) + "/" + url.PathEscape(period)
}

// Budgets lists every budget.
func (c *Client) Budgets(ctx context.Context) ([]Budget, error) {
	return list[Budget](ctx, c, "/v1/budgets")
}

// SetBudget sets how much an account may spend in a period.
func (c *Client) SetBudget(ctx context.Context, account, period string, terms BudgetTerms) (Budget, error) {
	return ask[Budget](ctx, c, http.MethodPut, budgetPath(account, period), terms)
}

// RemoveBudget removes a budget.
func (c *Client) RemoveBudget(ctx context.Context, account, period string) error {
	_, err := ask[admin.Removed](ctx, c, http.MethodDelete, budgetPath(account, period), nil)
	return err
}

// Usage reports what was used from one day to another, in UTC.
func (c *Client) Usage(ctx context.Context, since, until time.Time, by []string) ([]UsageRow, error) {
	q := url.Values{}
	q.Set("by", strings.Join(by, ","))
	q.Set("since", since.Format(time.DateOnly))
	q.Set("until", until.Format(time.DateOnly))
	return listOf[UsageRow](ctx, c, "/v1/usage", q)
}

// longPatience bounds what reads all of the ledger.
const longPatience = 10 * time.Minute

// VerifyLedger holds every row of the ledger to its invariants.
func (c *Client) VerifyLedger(ctx context.Context) (Verification, error) {
	patient := *c
	http := *c.http
	http.Timeout = longPatience
	patient.http = &http
	return ask[Verification](ctx, &patient, "GET", "/v1/ledger/verification", nil)
}
