package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// api serves everything under /v1/.
type api struct {
	opts  Options
	guard guard
	mux   *http.ServeMux
}

// endpoint is one row of the API: how it is asked, what it is for, and what does it. The
// OpenAPI document is made of the rows, and a test calls each.
type endpoint struct {
	method, path string
	summary      string
	needs        access.Role // whoever has it may ask; if there is none, an admin
	inStore      bool        // what it changes is rows of the store, which writes down the change with them
	query        []query
	in, out      reflect.Type // of the bodies; nil if there is none
	do           func(*api, *request) (any, error)
}

// query is a parameter of the address.
type query struct {
	name, doc string
	schema    map[string]any // text, if nil
}

// request is one request that was let in.
type request struct {
	*http.Request
	body []byte
	by   caller
}

// read makes an endpoint that only looks.
func read[Out any](path, summary string, do func(*api, *request) (Out, error)) endpoint {
	return endpoint{
		method: http.MethodGet, path: path, summary: summary, needs: access.Viewer, out: reflect.TypeFor[Out](),
		do: func(a *api, r *request) (any, error) { return do(a, r) },
	}
}

// write makes an endpoint that changes something, for an admin. Done twice, it must come to the same.
func write[In, Out any](method, path, summary string, do func(*api, *request, In) (Out, error)) endpoint {
	return endpoint{
		method: method, path: path, summary: summary, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		do: func(a *api, r *request) (any, error) {
			var in In
			if err := r.decode(&in); err != nil {
				return nil, err
			}
			return do(a, r, in)
		},
	}
}

// None is the body of a request that has nothing to say; it may be missing.
type None struct{}

// with adds parameters of the address.
func (e endpoint) with(q ...query) endpoint {
	e.query = append(e.query, q...)
	return e
}

// operators lets operators ask, too.
func operators(rows ...endpoint) []endpoint {
	for i := range rows {
		if rows[i].changes() {
			rows[i].needs = access.Operator
		}
	}
	return rows
}

// stored says that what rows change is in the store.
func stored(rows []endpoint) []endpoint {
	for i := range rows {
		rows[i].inStore = true
	}
	return rows
}

// changes reports whether the endpoint does more than look.
func (e endpoint) changes() bool { return e.method != http.MethodGet }

// endpoints lists what there is under /v1/.
func endpoints() []endpoint {
	return slices.Concat(
		[]endpoint{read("/v1/openapi.json", "This document.", (*api).document)},
		operators(healthEndpoints()...),
		operators(drillEndpoints()...),
		operators(evacuationEndpoints()...),
		operators(stored(keyEndpoints())...),
		stored(administratorEndpoints()),
		auditEndpoints(),
		usageEndpoints(),
		operators(stored(budgetEndpoints())...),
	)
}

func newAPI(o Options) *api {
	a := &api{opts: o, guard: guard{token: o.Token, administrators: o.Administrators, now: o.Now}, mux: http.NewServeMux()}
	methods := map[string][]string{}
	for _, e := range endpoints() {
		a.mux.HandleFunc(e.method+" "+e.path, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, e) })
		methods[e.path] = append(methods[e.path], e.method)
	}
	for path, known := range methods { // what the mux would answer in plain text
		a.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			for _, m := range known {
				w.Header().Add("Allow", m)
			}
			a.fail(w, &llm.Error{Code: llm.CodeMethod, Origin: llm.OriginClient, Message: "The path exists, but not with this method."})
		})
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		a.fail(w, notFound("There is nothing at this path; GET /v1/openapi.json lists what there is."))
	})
	return a
}

// callerKey is where a request's context has who asks.
type callerKey struct{}

// guarded lets in whoever shows a token. Whoever does not learns nothing, not even
// which paths there are.
func (a *api) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, err := a.guard.admit(r)
		if err != nil {
			if err.Code != llm.CodeRateLimit { // whoever tries without end shall not fill the log
				a.opts.Log.LogAttrs(r.Context(), slog.LevelWarn, "admin refused", slog.String("code", string(err.Code)), slog.String("from", r.RemoteAddr))
			}
			a.fail(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, by)))
	})
}

// serve answers one request that was let in, and writes down a change.
func (a *api) serve(w http.ResponseWriter, r *http.Request, e endpoint) {
	defer func() {
		if p := recover(); p != nil {
			a.opts.Log.Error("panic", "path", e.path, "panic", p, "stack", string(debug.Stack()))
			a.fail(w, errors.New("panic"))
		}
	}()
	in := &request{Request: r}
	in.by, _ = r.Context().Value(callerKey{}).(caller)
	out, err := a.perform(w, in, e)
	if err != nil {
		a.fail(w, err)
		return
	}
	a.reply(w, http.StatusOK, out)
}

// maxBody bounds a request's body: what an operator asks for is short.
const maxBody = 64 << 10

func (a *api) perform(w http.ResponseWriter, r *request, e endpoint) (out any, err error) {
	err = a.take(w, r, e)
	if !e.changes() {
		if err != nil {
			return nil, err
		}
		return e.do(a, r)
	}
	c := a.changeOf(r, e)
	if err == nil {
		out, err = a.make(r, e, c)
	}
	a.audit(r, c, err)
	return out, err
}

// make makes a change: one in the store together with the line that tells of it. What is no row in a store is
// written down before it begins, and when it is over, so that a crash leaves what was begun.
func (a *api) make(r *request, e endpoint, c *access.Change) (any, error) {
	if e.inStore {
		ctx, cancel := context.WithTimeout(access.WithChange(r.Context(), c), changeTime)
		defer cancel()
		r.Request = r.WithContext(ctx)
	} else {
		a.begin(r, c)
	}
	return e.do(a, r)
}

// take lets in whoever has the role that a row needs, and reads the request.
func (a *api) take(w http.ResponseWriter, r *request, e endpoint) error {
	if !r.by.role.Covers(e.needs) {
		return &llm.Error{
			Code: llm.CodePermission, Origin: llm.OriginClient,
			Message: fmt.Sprintf("This is for administrators with the role %s; %s has the role %s.", e.role(), r.by.name, r.by.role),
		}
	}
	if e.in != nil {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return &llm.Error{Code: llm.CodeTooLarge, Origin: llm.OriginClient, Message: "The body is larger than 64 KiB, or did not arrive.", Err: err}
		}
		r.body = body
	}
	for name, values := range r.URL.Query() {
		if !e.takes(name) {
			return llm.Invalid(name, "The address has a parameter %q that this path does not take.", clip(name))
		}
		if len(values) > 1 {
			return llm.Invalid(name, "The address has the parameter %s more than once.", name)
		}
	}
	return nil
}

// role is the least that is good for the row.
func (e endpoint) role() access.Role { return cmp.Or(e.needs, access.Admin) }

func (e endpoint) takes(name string) bool {
	for _, q := range e.query {
		if q.name == name {
			return true
		}
	}
	return false
}

// decode reads the body, an object. A field that nobody knows is refused: it was meant to do something. So is a body
// without one that the document says is required: what it would stand for was not said.
func (r *request) decode(into any) error {
	if len(bytes.TrimSpace(r.body)) == 0 {
		if _, ok := into.(*None); ok {
			return nil
		}
		return llm.Invalid("", "The request has no body, and needs one.")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &llm.Error{Code: llm.CodeMediaType, Origin: llm.OriginClient, Message: "The body must be of the type application/json."}
	}
	if err := jsontext.Check(r.body, jsontext.Limits{}); err != nil {
		return llm.Invalid("", "The body is no JSON that everybody reads alike: %v.", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.body, &members); err != nil || members == nil {
		return llm.Invalid("", "The body must be a JSON object.")
	}
	for _, name := range requiredOf(reflect.TypeOf(into).Elem()) {
		if value, given := members[name]; !given || string(value) == "null" {
			return llm.Invalid(name, "The body must have the member %s.", name)
		}
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return llm.Invalid("", "The body is not what this path takes: %v.", err)
	}
	return nil
}

// clip bounds what a caller wrote where it is shown again, or kept: it is text then, whatever it was.
func clip(text string) string {
	const most = 500
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// errorBody is the one form of errors.
type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code    llm.Code `json:"code" doc:"One of docs/errors.md."`
	Message string   `json:"message" doc:"What is wrong, and what to do about it."`
}

// asError makes an error of the closed list of any.
func asError(err error) *llm.Error {
	var e *llm.Error
	if errors.As(err, &e) {
		return e
	}
	return &llm.Error{Code: llm.CodeInternal, Origin: llm.OriginGateway, Message: "The gateway failed on this request.", Err: err}
}

func notFound(format string, args ...any) *llm.Error {
	return &llm.Error{Code: llm.CodePathNotFound, Origin: llm.OriginClient, Message: fmt.Sprintf(format, args...)}
}

// fail answers with an error.
func (a *api) fail(w http.ResponseWriter, err error) {
	e := asError(err)
	if e.Code == llm.CodeInternal {
		a.opts.Log.Error("admin request failed", "error", err.Error())
	}
	switch e.Code {
	case llm.CodeAuthentication:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case llm.CodeRateLimit:
		w.Header().Set("Retry-After", strconv.Itoa(int(max(e.RetryAfter, time.Second).Seconds())))
	default:
	}
	a.reply(w, e.HTTPStatus(), errorBody{errorDetail{e.Code, e.Message}})
}

func (a *api) reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		a.opts.Log.Error("admin answer cannot be written", "error", err.Error())
		status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"The gateway failed on this request."}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) //nolint:gosec // JSON, and declared as such
}
