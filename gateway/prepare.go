package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/transport"
)

// prepare makes the bytes for an attempt from the client's own, which stay as
// they are: every attempt begins with them.
func (c *call) prepare(a *attempt) *llm.Error {
	if a.plan.raw {
		return c.prepareRaw(a)
	}
	var err *llm.Error
	if a.plan.mode == ModeTranslate {
		err = c.translateRequest(a)
	} else {
		err = c.relayRequest(a)
	}
	if err == nil && a.unsealed {
		err = c.unseal(a)
	}
	if err != nil {
		return err
	}
	c.spare(a)
	if a.plan.edits.IsZero() {
		return nil
	}
	body, changed, editErr := applyEdits(a.body, a.plan.edits)
	if editErr == nil && a.plan.mode != ModeTranslate {
		body, editErr = fromHeaders(body, a.plan.edits.FromHeader, c.r.Header)
	}
	if editErr != nil {
		return asError(editErr, llm.CodeInternal)
	}
	a.body = body
	for i := range a.encoded.More { // alike, so what was changed is the same
		if a.encoded.More[i], _, editErr = applyEdits(a.encoded.More[i], a.plan.edits); editErr != nil {
			return asError(editErr, llm.CodeInternal)
		}
	}
	return c.accept(a, c.editLosses(a, changed))
}

// spare has left out of a request that is relayed what a stand-in's model is known to refuse. The lead is sent what the
// client wrote: its vendor's word is the client's.
func (c *call) spare(a *attempt) {
	isOther := func(earlier *attempt) bool { return !earlier.target.IsSame(a.target) }
	standsIn := !a.lead || c.missed != nil && !a.target.IsSame(*c.missed) || slices.ContainsFunc(c.refused, isOther)
	if !standsIn || a.plan.mode == ModeTranslate {
		return
	}
	for _, path := range a.plan.dialect.Untaken(a.target.Facts) {
		if _, n, err := jsontext.Drop(a.body, path); err == nil && n > 0 {
			a.plan.mode, a.plan.edits.Drop = ModeEdit, append(slices.Clip(a.plan.edits.Drop), path)
		}
	}
}

// unseal takes out of the request what the vendor signed or sealed.
func (c *call) unseal(a *attempt) *llm.Error {
	body, losses, err := a.plan.dialect.Unseal(a.body)
	if err != nil {
		return asError(err, llm.CodeInternal)
	}
	a.body = body
	return c.accept(a, losses)
}

// editLosses says what of the client's request the edits took away or changed. A
// field that asks for nothing ("logprobs": false) is no loss.
func (c *call) editLosses(a *attempt, changed []change) []llm.Loss {
	if len(changed) == 0 {
		return nil
	}
	req, _ := c.decoded() // nil if it cannot be: then everything counts
	var losses []llm.Loss
	for _, ch := range changed {
		l, lost := a.plan.dialect.EditLoss(ch.path, ch.action)
		if asksForNothing := req != nil && isFeature(l.Feature) && !slices.Contains(llm.Used(req), l.Feature); lost && !asksForNothing {
			losses = append(losses, l)
		}
	}
	return losses
}

// isFeature reports whether f is one of llm's, and not a field that one dialect has.
func isFeature(f llm.Feature) bool { return f.Info().Doc != "" }

// relayRequest names the target's model in the client's body and leaves the rest.
func (c *call) relayRequest(a *attempt) *llm.Error {
	relay := c.dialect.Relay
	body, losses, err := relay.Strip(c.body)
	if err != nil {
		return asError(err, llm.CodeInvalidRequest)
	}
	if err := c.accept(a, losses); err != nil {
		return err
	}
	a.ask = dialect.Ask{StreamUsage: c.peeked.Stream && !c.peeked.StreamUsage}
	if a.body, err = relay.SetModel(body, a.target.Model, a.ask); err != nil {
		return asError(err, llm.CodeInvalidRequest)
	}
	return nil
}

// translateRequest carries the request over to the provider's dialect, unless
// that would lose what the policy keeps. In a rescue it may be the client's own.
func (c *call) translateRequest(a *attempt) *llm.Error {
	req, err := c.decoded()
	if err != nil {
		return err
	}
	if a.rescue != nil {
		req = a.rescue.ask(a, req)
	}
	if c.dialect != a.plan.dialect {
		if err := c.accept(a, dialect.Contract(c.dialect, a.plan.dialect, req)); err != nil {
			return err
		}
	}
	if c.dialect.Name != a.plan.dialect.Name {
		if err := c.accept(a, c.dialect.HeaderLosses(c.r.Header)); err != nil {
			return err
		}
	}
	encoded, encodeErr := a.plan.dialect.Provider.EncodeRequest(req, dialect.Target{Model: a.target.Model, Facts: a.target.Facts})
	if encodeErr != nil {
		return asError(encodeErr, llm.CodeInternal)
	}
	losses := encoded.Losses
	if jsontext.LostHalf(c.body, encoded.Body) || slices.ContainsFunc(encoded.More, func(b []byte) bool { return jsontext.LostHalf(c.body, b) }) {
		losses = append(losses, dialect.HalfLoss(""))
	}
	if err := c.accept(a, losses); err != nil {
		return err
	}
	if len(encoded.More) >= maxRequests {
		return tooManyPieces(a.plan.dialect.Name)
	}
	encoded.OldCalls = req.OldCalls
	a.encoded, a.body = encoded, encoded.Body
	return nil
}

// maxTools bounds the tools of a request that is translated, ten times what any vendor takes: each call in its history
// is looked up among them.
const maxTools = 4096

// decoded is the client's request as values.
func (c *call) decoded() (*llm.Request, *llm.Error) {
	if c.request == nil {
		req, err := c.dialect.Client.DecodeRequest(c.body)
		if err != nil {
			return nil, asError(err, llm.CodeInvalidRequest)
		}
		if len(req.Tools) > maxTools {
			return nil, llm.Invalid("tools", "A request that is translated may have %d tools at most.", maxTools)
		}
		// What the path says is not in the body.
		req.Model, req.Stream = c.peeked.Model, c.peeked.Stream
		req.StreamUsage = c.peeked.Stream && c.peeked.StreamUsage
		c.request = req
	}
	return c.request, nil
}

// accept records losses that the policy lets through and refuses the target for
// the others.
func (c *call) accept(a *attempt, losses []llm.Loss) *llm.Error {
	refused, reported := c.policy.Apply(losses)
	a.losses = append(a.losses, reported...)
	if len(refused) == 0 {
		return nil
	}
	return &llm.Error{
		Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: refused[0].Name(),
		Message: dialect.RefusalMessage(refused, a.plan.dialect.Name),
	}
}

// change is what an edit did to a field that was there.
type change struct {
	path   string
	action llm.Action
}

// applyEdits makes a body acceptable to a provider that differs from its dialect, and
// says what that changed. A new name changes nothing.
func applyEdits(body []byte, e provider.Edits) ([]byte, []change, error) {
	var changed []change
	var n int
	var err error
	for _, path := range e.Drop {
		if body, n, err = jsontext.Drop(body, path); err != nil {
			return nil, nil, err
		}
		if n > 0 {
			changed = append(changed, change{path, llm.ActionDropped})
		}
	}
	for _, path := range sortedKeys(e.Rename) {
		to := e.Rename[path]
		if body, _, err = jsontext.Rename(body, path, to); errors.Is(err, jsontext.ErrExists) {
			return nil, nil, llm.Invalid(path, "Setting %q and %q at the same time is not supported.", path, to)
		} else if err != nil {
			return nil, nil, err
		}
	}
	for _, path := range sortedKeys(e.Cap) {
		if body, n, err = jsontext.Cap(body, path, e.Cap[path]); err != nil {
			return nil, nil, err
		}
		if n > 0 {
			changed = append(changed, change{path, llm.ActionApproximated})
		}
	}
	for _, path := range sortedKeys(e.Map) { // a word for another that means the same
		if body, _, err = jsontext.MapText(body, path, e.Map[path]); err != nil {
			return nil, nil, err
		}
	}
	for _, path := range sortedKeys(e.Set) {
		value, err := json.Marshal(e.Set[path])
		if err != nil {
			return nil, nil, err
		}
		set, err := jsontext.Set(body, path, value)
		if err != nil {
			return nil, nil, err
		}
		if _, n, err := jsontext.Drop(body, path); err == nil && n > 0 && !bytes.Equal(set, body) {
			changed = append(changed, change{path, llm.ActionApproximated})
		}
		body = set
	}
	return body, changed, nil
}

// fromHeaders sets members to what the client's headers list.
func fromHeaders(body []byte, members map[string]string, header http.Header) ([]byte, error) {
	for _, path := range sortedKeys(members) {
		var list []string
		for _, line := range header.Values(members[path]) {
			for item := range strings.SplitSeq(line, ",") {
				if item = strings.TrimSpace(item); item != "" {
					list = append(list, item)
				}
			}
		}
		if len(list) == 0 {
			continue
		}
		value, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		if body, err = jsontext.Set(body, path, value); err != nil {
			return nil, err
		}
	}
	return body, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// upstream is the request that goes out for an attempt. Of the client's headers
// only those go with it that belong to the dialect both ends speak.
func (c *call) upstream(a *attempt) transport.Request {
	header := make(http.Header, len(c.dialect.RelayHeaders))
	if a.plan.dialect.Name == c.dialect.Name {
		for _, name := range c.dialect.RelayHeaders {
			if values := c.r.Header[name]; len(values) > 0 {
				header[name] = values
			}
		}
	}
	c.traceHeaders(a, header)
	r := transport.Request{
		Provider: a.target.Provider, Method: http.MethodPost, URL: a.plan.url,
		Header: header, Body: a.body, Stream: c.peeked.Stream,
		Connect: c.route.Timeouts.Connect, Fresh: a.fresh,
		For: transport.Purpose{Call: c.id, Caller: c.caller.Name, Asked: c.peeked.Model, Model: a.target.Model},
	}
	if r.Stream {
		r.Accept = a.plan.framing.ContentType()
	}
	if a.plan.raw {
		r.Method, r.Accept = c.r.Method, "*/*"
		if contentType := c.r.Header.Get("Content-Type"); contentType != "" && len(a.body) > 0 {
			header.Set("Content-Type", contentType)
		}
	}
	return r
}
