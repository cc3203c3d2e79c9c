package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/transport"
)

// Probe is what came of asking a provider for its models with the configured key.
type Probe struct {
	Provider string        `json:"provider"`
	Verdict  Verdict       `json:"verdict"`
	Detail   string        `json:"detail,omitempty"` // why it is not OK; never what the provider wrote
	Latency  time.Duration `json:"-"`
}

// Verdict is the outcome of a Probe.
type Verdict string

// The verdicts. Only VerdictOK shows that a key is good.
const (
	VerdictOK          Verdict = "OK"
	VerdictRefused     Verdict = "refused"     // the key is not accepted
	VerdictUnreachable Verdict = "unreachable" // no answer
	VerdictFailed      Verdict = "failed"      // an answer that says nothing about the key
	VerdictUntried     Verdict = "not tried"   // the service has no list of models to ask for
)

// IsBad reports whether v is a problem.
func (v Verdict) IsBad() bool { return v != VerdictOK && v != VerdictUntried }

// ProbeAll runs the commands of a config, asks every provider for its models, all at once, and
// returns what came of it in the config's order.
func ProbeAll(ctx context.Context, o Options) ([]Probe, error) {
	o.complete()
	if _, err := buildRoutes(o.Config, sources{env: o.Env}); err != nil {
		return nil, err
	}
	from := sources{o.Env, runCommands(ctx, o.Config, commandsOf(o.Config))}
	t := transport.New(transport.Options{Log: o.Log, UserAgent: "understudy/" + o.Version})
	defer t.Close()
	var each []config.Provider // with each of its keys
	var names []string
	for _, p := range o.Config.Providers {
		for i, k := range p.Keys {
			p.Key = k.Key
			each, names = append(each, p), append(names, fmt.Sprintf("%s key %d", p.Name, i+1))
		}
		if len(p.Keys) == 0 {
			each, names = append(each, p), append(names, p.Name)
		}
	}
	probes := make([]Probe, len(each))
	var all sync.WaitGroup
	for i, p := range each {
		all.Go(func() {
			probes[i] = probe(ctx, t, p, from)
			probes[i].Provider = names[i]
		})
	}
	all.Wait()
	return probes, nil
}

// probeTime bounds a probe, and probeBody what is read of its answer.
const (
	probeTime = 10 * time.Second
	probeBody = 1 << 20
)

func probe(ctx context.Context, t *transport.Transport, p config.Provider, from sources) Probe {
	result := Probe{Provider: p.Name, Verdict: VerdictUntried}
	key, err := resolve(p, from)
	if err != nil {
		result.Verdict, result.Detail = VerdictFailed, err.Error()
		return result
	}
	address := p.Facts.ModelsURL()
	if address == "" {
		result.Detail = "no models_path is known"
		return result
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	start := time.Now()
	resp, err := t.Send(ctx, transport.Request{
		Provider: newProvider(p, key), Method: http.MethodGet,
		URL: address, Connect: probeTime,
	})
	result.Latency = time.Since(start)
	if err != nil {
		result.Verdict, result.Detail = VerdictUnreachable, unreachable(err)
		if isRefusal(err) {
			result.Verdict = VerdictRefused
		}
		return result
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, probeBody)) // so that the connection ends in order
	result.Verdict, result.Detail = judgeProbe(resp.Status)
	return result
}

func judgeProbe(status int) (verdict Verdict, detail string) {
	switch status {
	case http.StatusOK:
		return VerdictOK, ""
	case http.StatusUnauthorized, http.StatusForbidden:
		return VerdictRefused, "the key is not accepted (HTTP " + strconv.Itoa(status) + ")"
	default:
		return VerdictFailed, fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))
	}
}

func unreachable(err error) string {
	var e *transport.SendError
	var credential *transport.CredentialError
	switch {
	case errors.As(err, &credential):
		return credential.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer within " + probeTime.String()
	case errors.As(err, &e):
		return e.Error()
	default:
		return err.Error()
	}
}

// isRefusal reports whether there was no credential to show because whoever gives it
// out said no.
func isRefusal(err error) bool {
	var credential *transport.CredentialError
	return errors.As(err, &credential) && credential.Refused
}
