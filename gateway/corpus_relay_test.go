package gateway_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/transport"
)

// relayed replays exchanges in their own dialect.
type relayed struct {
	*stage
	row *recordedDialect
	sum *tally
}

func newReplay(t *testing.T, row *recordedDialect, sum *tally) *relayed {
	t.Helper()
	r := &relayed{stage: newStage(t, row.dialect, row.home), row: row, sum: sum}
	if row.dialect.Canonical == nil {
		r.changeFacts(func(f *provider.Facts) { f.Edits = nil })
	}
	return r
}

// isRecorded reports whether the exchange has a request of JSON.
func isRecorded(x *dialecttest.Exchange) bool {
	return x.RequestKind == "json" && bytes.HasPrefix(bytes.TrimSpace(x.RequestBody), []byte("{"))
}

// relay sends an exchange to a provider of its own dialect that answers as recorded, and holds that both ends have the
// other's bytes, or that there is a reason.
func (r *relayed) relay(x *dialecttest.Exchange) {
	r.t.Helper()
	d := r.row.dialect
	if len(d.Endpoints) == 0 {
		r.sum.note(stepRelay, "the dialect has no clients")
		return
	}
	framing := framingOf(d, x)
	r.changeFacts(func(f *provider.Facts) { f.Framings = map[dialect.Name]dialect.Framing{d.Name: framing} })
	r.vendor = func(transport.Request) *transport.Response { return recordedAnswer(r.t, d, x) }
	body := []byte(x.RequestBody)
	if !isRecorded(x) {
		body = minimalRequest(r.t, d, isStreamed(x))
	}
	got := r.serve(d, recordedPath(d, cmp.Or(x.Model, "m"), isStreamed(x), framing), body)
	why := r.difference(x, body, got.Code, got.Body.Bytes(), framing)
	if why == "" {
		r.sum.same++
		return
	}
	r.sum.note(stepRelay, why)
}

// minimalRequest is a short request of a client.
func minimalRequest(t *testing.T, d *dialect.Dialect, stream bool) []byte {
	t.Helper()
	req := &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("Hello")}}}, Stream: stream, StreamUsage: stream}
	switch d.Does() {
	case dialect.Embed:
		req = &llm.Request{Model: "m", Embed: &llm.Embed{Inputs: []llm.EmbedInput{{Text: "Hello"}}}}
	case dialect.Rerank:
		req = &llm.Request{Model: "m", Rerank: &llm.Rerank{Query: "Hello", Documents: []llm.RankInput{{Text: "Hello"}}}}
	default:
	}
	enc, err := d.Provider.EncodeRequest(req, dialect.Target{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	return enc.Body
}

// difference says why an exchange did not go by as it was; empty if it did. It fails the test for one without a reason.
func (r *relayed) difference(x *dialecttest.Exchange, body []byte, status int, got []byte, framing dialect.Framing) string {
	r.t.Helper()
	d := r.row.dialect
	if len(r.sent) == 0 {
		return "request refused before it was sent: " + shortly(d.Provider.DecodeError(status, got))
	}
	if sent := r.sent[0]; !r.sameRequest(body, sent) {
		r.t.Errorf("%s: got upstream body\n%.600s\nwant\n%.600s", x.ID, sent, body)
	}
	want := wireBytes(r.t, d, x)
	failed := firstCode(r.record)
	switch {
	case bytes.Equal(got, want) && status == max(x.Status, 200):
		return ""
	case x.Status >= 400:
		return fmt.Sprintf("error in the gateway's words: %d %s", x.Status, failed)
	case failed != "":
		return "answer that is none: " + string(failed)
	}
	have, wanted := dialecttest.FramesOf(r.t, framing, got), dialecttest.FramesOf(r.t, framing, want)
	switch {
	case len(have) < len(wanted) && bytes.HasPrefix(want, got):
		return "stream without what came after its terminator"
	case !asksUsage(body) && startsAs(have, wanted, withoutUsage):
		return "stream without the usage that was not asked for"
	case startsAs(have, wanted, sameFrame):
		return "stream with the terminator or the framing that was missing"
	}
	r.t.Errorf("%s: got an answer of status %d that differs:\n%s", x.ID, status, firstDifference(string(got), string(want)))
	return "CHANGED"
}

// sameRequest reports whether the vendor had the client's bytes, but for what the gateway asks for itself. One in
// another frame has the same members in it.
func (r *relayed) sameRequest(client, sent []byte) bool {
	if r.row.dialect.Canonical != nil {
		return jsontext.Equal(client, sent)
	}
	return bytes.Equal(client, sent) || bytes.Equal(withoutAsk(client, sent), sent)
}

// firstCode is why the first attempt failed; empty if it did not.
func firstCode(r gateway.Record) llm.Code {
	if len(r.Attempts) == 0 {
		return r.Code
	}
	return r.Attempts[0].Code
}

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-80)
	return fmt.Sprintf("…%.300s\nwant\n…%.300s", got[from:], want[from:])
}

// withoutAsk is the client's body with what the gateway asks for itself.
func withoutAsk(client, sent []byte) []byte {
	if jsontext.Value(sent).Get("stream_options", "include_usage").IsNull() {
		return client
	}
	with, err := jsontext.Set(client, "stream_options.include_usage", []byte("true"))
	if err != nil {
		return client
	}
	return with
}

// startsAs reports whether a stream has the events of another, and at most a terminator more. expect makes of each
// event of the other what is to stand in the first; nil is nothing.
func startsAs(have, want []dialect.Frame, expect func(dialect.Frame) []byte) bool {
	var rest [][]byte
	for _, f := range want {
		if data := expect(f); data != nil {
			rest = append(rest, data)
		}
	}
	if len(have) < len(rest) || len(have) > len(rest)+3 {
		return false
	}
	return slices.EqualFunc(have[:len(rest)], rest, func(f dialect.Frame, data []byte) bool {
		return bytes.Equal(bytes.TrimSpace(f.Data), bytes.TrimSpace(data))
	})
}

func sameFrame(f dialect.Frame) []byte { return f.Data }

func asksUsage(request []byte) bool {
	asks, _ := jsontext.Value(request).Get("stream_options", "include_usage").Bool()
	return asks
}

// withoutUsage is what a client that did not ask for usage gets of an event: some vendors send usage to everybody,
// which is taken for the gateway's own request.
func withoutUsage(f dialect.Frame) []byte {
	if jsontext.Value(f.Data).Kind() != jsontext.Object {
		return f.Data
	}
	usage, choices := jsontext.Value(f.Data).Get("usage"), jsontext.Value(f.Data).Get("choices")
	switch {
	case usage == nil:
		return f.Data
	case !usage.IsNull():
		if choices.IsNull() || string(choices) == "[]" {
			return nil
		}
		return f.Data
	}
	dropped, _, err := jsontext.Drop(f.Data, "usage")
	if err != nil {
		return f.Data
	}
	return dropped
}

// eventName is the name that an event has in its data.
func eventName(data []byte) string {
	name, _ := jsontext.Value(data).Get("type").Text()
	return name
}

// understood is an exchange in the words of llm, as far as its own dialect's sides understand it.
func (r *relayed) understood(x *dialecttest.Exchange) (*llm.Request, *llm.Response) {
	d := r.row.dialect
	var req *llm.Request
	if isRecorded(x) && x.Status < 400 && jsontext.Check(x.RequestBody, jsontext.Limits{}) == nil {
		body := []byte(x.RequestBody)
		if d.Canonical != nil {
			if own, err := d.Canonical(dialect.Framed{Body: body, Model: x.Model, Stream: isStreamed(x), Header: func(string) string { return "" }}); err == nil {
				body = own.Body
			}
		}
		req, _ = d.Client.DecodeRequest(body)
	}
	if x.Status >= 400 {
		return req, nil
	}
	if !isStreamed(x) {
		answer, _ := d.Provider.DecodeResponse(x.ResponseBody)
		return req, answer
	}
	read, closed, err := dialecttest.ReadStream(d.Provider.NewStreamReader(), x.Frames(r.t, framingOf(d, x)))
	if err != nil {
		return req, nil
	}
	return req, llm.Collect(slices.Concat(read, closed))
}

// shortly is the kind of an error without what varies: of a request that a target cannot carry, what that is first of
// all.
func shortly(err error) string {
	var e *llm.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if carried := uncarried.FindStringSubmatch(e.Message); carried != nil {
		return "the other dialect cannot carry `" + carried[1] + "`"
	}
	return string(e.Code) + ": " + varying.ReplaceAllString(e.Message, "…")
}

var (
	// uncarried is how the gateway refuses a request in the contract's words.
	uncarried = regexp.MustCompile(`cannot carry: (\S+?)(?:[, ]|\. )`)
	// varying is what differs between errors of one kind.
	varying = regexp.MustCompile(` '[^']*'|"[^"]*"|\[\d+\]|\d+`)
)
