package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// cutText has what can go wrong when a text is cut: characters of many bytes, escapes,
// quotes, blanks and line ends at the borders of its pieces, and words that begin alike.
var cutText = []string{"Gr\u00fc\u00dfe, \"\u4e16\u754c\" ", "\U0001f30a\n\n", "the sea, the", " same \\ sea "}

// understudies are the ways in which an understudy goes on: its dialect, whether its model
// continues an answer, and how the model of the simulated vendor begins.
var understudies = []struct {
	api     api
	prefill bool
	markers string
}{
	{messagesAPI, true, ""},
	{messagesAPI, false, ""},
	{chatAPI, false, ""},
	{chatAPI, false, "+again-14"},
	{messagesAPI, false, "+again-500"},
	{chatAPI, false, "+preamble"},
	{messagesAPI, true, "+think"},
	{responsesAPI, false, ""},
}

// cutStage is a gateway between a lead whose stream is cut and an understudy.
type cutStage struct {
	gw     http.Handler
	second *fakeprovider.Server
	asked  int // how often the understudy was
	cut    func(ctx context.Context) io.ReadCloser
}

// newCutStage builds a stage whose understudy is the one at place.
func newCutStage(t *testing.T, lead api, place int, times route.Timeouts) *cutStage {
	t.Helper()
	u := understudies[place]
	st := &cutStage{second: fakeprovider.New(fakeprovider.Options{
		Key: "test", Script: func(fakeprovider.Ask) *fakeprovider.Reply { return &fakeprovider.Reply{Parts: cutText} },
	})}
	st.gw = cutGateway(t, lead, senderFunc(func(ctx context.Context, r transport.Request) (*transport.Response, error) {
		if r.Provider.ID == "vendor" {
			return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: st.cut(ctx)}, nil
		}
		st.asked++
		return askDirectly(ctx, st.second, r, "test"), nil
	}), func(o *gateway.Options) {
		facts := llm.ModelFacts{MaxOutput: 8192, Prefill: u.prefill, Thinking: llm.ThinkingNone}
		o.Routes = withSecond{o.Routes, times, route.Target{
			Provider: &provider.Provider{ID: "second", Private: true, Facts: provider.Facts{
				BaseURL: "http://127.0.0.1", Auth: "bearer", Dialects: map[dialect.Name]string{nameOf(u.api): u.api.path},
			}},
			Model: upstreamModel(u.api) + u.markers, Facts: facts,
		}}
	})
	return st
}

// askDirectly gives a vendor a request, without a network.
func askDirectly(ctx context.Context, vendor *fakeprovider.Server, r transport.Request, key string) *transport.Response {
	req := httptest.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Api-Key", key)
	req.Header.Set("Anthropic-Version", "2023-06-01")
	rec := httptest.NewRecorder()
	body := cutBody{end: io.EOF}
	func() {
		defer func() {
			switch abort := recover(); abort {
			case nil:
			case http.ErrAbortHandler: // there is no connection to reset
				body.end = syscall.ECONNRESET
			default:
				panic(abort)
			}
		}()
		vendor.ServeHTTP(rec, req)
	}()
	body.left = rec.Body.Bytes()
	return &transport.Response{Status: rec.Code, Header: rec.Header(), Body: &body}
}

// serve gives a client what comes of a stream that ends after cut.
func (st *cutStage) serve(t *testing.T, client api, cut []byte) []byte {
	t.Helper()
	st.cut = func(context.Context) io.ReadCloser { return &cutBody{left: cut, end: io.EOF} }
	rec := httptest.NewRecorder()
	st.gw.ServeHTTP(rec, plainRequest(t, client))
	return rec.Body.Bytes()
}

// withSecond adds an understudy to every route.
type withSecond struct {
	gateway.Routes
	timeouts route.Timeouts
	second   route.Target
}

func (w withSecond) Pick(model string) (route.Route, bool) {
	r, ok := w.Routes.Pick(model)
	r.Targets, r.Rescue, r.Timeouts = append(r.Targets, w.second), llm.RescueText, w.timeouts
	return r, ok
}

func nameOf(a api) dialect.Name {
	switch a.name {
	case messagesAPI.name:
		return dialect.AnthropicMessages
	case responsesAPI.name:
		return dialect.OpenAIResponses
	}
	return dialect.OpenAIChat
}

// plainRequest asks for a text, as a stream.
func plainRequest(t *testing.T, a api) *http.Request {
	t.Helper()
	raw, err := json.Marshal(shaped(a, body(upstreamModel(a), "Hello", true)))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, a.path, bytes.NewReader(raw))
	r.Header.Set("Content-Type", "application/json")
	for k, v := range a.header {
		r.Header.Set(k, v)
	}
	return r
}

// TestRescueAnywhere cuts streams at every byte, as a body that ends and as one that is
// reset, for clients of all three dialects, with every kind of understudy; if it is no whole
// sweep, each place has one of each. Whatever the place, the client gets the whole text once,
// in one stream by its dialect's grammar.
func TestRescueAnywhere(t *testing.T) {
	t.Parallel()
	full := strings.Join(cutText, "")
	for _, lead := range cutAPIs {
		stream := recordStream(t, lead, fakeprovider.Reply{Parts: cutText})
		var wg sync.WaitGroup
		for place, u := range understudies {
			for _, client := range cutAPIs {
				wg.Go(func() {
					st, last := newCutStage(t, lead, place, patient()), heard{}
					for n := range len(stream) + 1 {
						for i, end := range []error{io.EOF, syscall.ECONNRESET} {
							if (n+place+i)%8 != 0 && n < len(stream) || leavesOut(lead, client, n/8) {
								continue // each place and each end with one of the understudies
							}
							if (n/8+i)%2 != 0 && n < len(stream) && os.Getenv(fullLength) == "" && os.Getenv(wholeSweep) == "" {
								continue // and with one of the ends
							}
							st.cut = func(context.Context) io.ReadCloser { return &cutBody{left: stream[:n], end: end} }
							rec := httptest.NewRecorder()
							st.gw.ServeHTTP(rec, plainRequest(t, client))
							where := lead.name + ">" + u.api.name + u.markers + " to " + client.name + ", " + end.Error() + " after " + strconv.Itoa(n)
							holdWhole(t, where, client, rec, &last, full)
						}
					}
				})
			}
		}
		wg.Wait()
	}
}

// TestStallAnywhere does the same with streams that stop and leave the connection open, with an understudy and
// without: at every byte if it runs at full length, then many at a time, since all wait.
func TestStallAnywhere(t *testing.T) {
	t.Parallel()
	full := strings.Join(cutText, "")
	times := patient()
	times.FirstToken, times.Stall = slowdown*3*time.Second, slowdown*3*time.Second // the understudy's, too
	room := make(chan struct{}, 1000)
	var wg sync.WaitGroup
	for i, lead := range cutAPIs {
		stream := recordStream(t, lead, fakeprovider.Reply{Parts: cutText})
		for n := 1; n < len(stream); n += atFullLength(1, 151) {
			sent := payload(lead, wholeEvents(stream[:n]))
			for _, client := range cutAPIs {
				for _, isAlone := range []bool{false, true} {
					if isAlone && (n/151+i)%3 != 0 && os.Getenv(fullLength) == "" {
						continue
					}
					room <- struct{}{}
					wg.Go(func() {
						defer func() { <-room }()
						stallAt(t, lead, client, stream[:n], stalling{times, (n + i) % len(understudies), isAlone, full, sent})
					})
				}
			}
		}
	}
	wg.Wait()
}

// stalling is what a client of a stream that stalls has, and what it should get.
type stalling struct {
	times      route.Timeouts
	understudy int
	isAlone    bool
	full, sent string
}

func stallAt(t *testing.T, lead, client api, cut []byte, s stalling) {
	t.Helper()
	st := newCutStage(t, lead, s.understudy, s.times)
	st.cut = func(ctx context.Context) io.ReadCloser { return &stallBody{left: cut, ctx: ctx} }
	where := lead.name + " to " + client.name + ", stall after " + strconv.Itoa(len(cut))
	req, rec := plainRequest(t, client), httptest.NewRecorder()
	if !s.isAlone {
		st.gw.ServeHTTP(rec, req)
		holdWhole(t, where, client, rec, &heard{}, s.full)
		return
	}
	req.Header.Set(gateway.HeaderFallback, "off")
	st.gw.ServeHTTP(rec, req)
	holdCut(t, where+", alone", client, rec.Code, new(heard).hear(client, rec.Body.Bytes()), s.sent, s.full)
}

// TestNoRescueAnywhere cuts streams at every byte while the understudy is broken, too, in
// one way or another, or the request offers a tool: the client gets what the lead said
// and then an error, or everything, and never takes a part for the whole.
func TestNoRescueAnywhere(t *testing.T) {
	t.Parallel()
	for _, lead := range cutAPIs {
		for name, reply := range map[string]fakeprovider.Reply{"text": {Parts: cutText}, "tool": cutReplies()["tool"]} {
			stream := recordStream(t, lead, reply)
			full := payload(lead, stream)
			for i, client := range cutAPIs {
				st, sent, last := newCutStage(t, lead, 2*i+1, patient()), "", heard{}
				for n := range len(stream) + 1 {
					if len(wholeEvents(stream[:n])) == n {
						sent = payload(lead, stream[:n])
					}
					kinds := []string{"overloaded-529", "eof-start", "html-200", "reset-start"}
					if leavesOut(lead, client, n/len(kinds)) {
						continue
					}
					kind := kinds[n%len(kinds)]
					if name == "text" {
						if err := st.second.SetFault(&fakeprovider.Fault{Kind: kind}); err != nil {
							t.Fatal(err)
						}
					}
					st.asked, st.cut = 0, func(context.Context) io.ReadCloser { return &cutBody{left: stream[:n], end: io.EOF} }
					req := plainRequest(t, client)
					if name == "tool" {
						req = cutRequest(t, client, "")
						req.Header.Del(gateway.HeaderFallback)
					}
					rec := httptest.NewRecorder()
					st.gw.ServeHTTP(rec, req)
					where := lead.name + " to " + client.name + ", " + name + ", after " + strconv.Itoa(n)
					if name == "tool" && sent != "" && st.asked > 0 {
						t.Errorf("%s: got the understudy asked, want nobody to go on with an answer that may call a tool", where)
					}
					if name == "tool" && sent == "" {
						continue // the understudy's own answer
					}
					holdCut(t, where, client, rec.Code, last.hear(client, rec.Body.Bytes()), sent, full)
				}
			}
		}
	}
}

// holdWhole looks at a stream of which an understudy may have said the end.
func holdWhole(t *testing.T, where string, client api, rec *httptest.ResponseRecorder, h *heard, full string) {
	t.Helper()
	h.hear(client, rec.Body.Bytes())
	if rec.Code != http.StatusOK || h.payload != full || h.starts != 1 || h.clean != 1 || h.failed != 0 || h.after {
		t.Errorf("%s: got status %d, text %q, %d starts, %d clean ends, %d errors (after them: %v), want the text once, one start, one end: %q",
			where, rec.Code, h.payload, h.starts, h.clean, h.failed, h.after, full)
		return
	}
	if h.isLegal {
		return
	}
	if err := legal(client, h.stream); err != nil {
		t.Errorf("%s: got %v in %s, want a stream by the dialect's grammar", where, err, h.stream)
		return
	}
	h.isLegal = true
}

// grammars are the dialects of the clients.
var grammars = map[string]*dialect.Dialect{
	chatAPI.name: openaichat.New(), messagesAPI.name: anthropic.New(), responsesAPI.name: openairesponses.New(),
}

// legal reads a stream as a client would: by the grammar, and as one answer.
func legal(a api, stream []byte) error {
	r, events := grammars[a.name].Provider.NewStreamReader(), []llm.Event(nil)
	source := frames.NewReader(frames.SSE, bytes.NewReader(stream))
	for ids := map[string]bool{}; ; {
		f, err := source.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if !f.HasData {
			continue
		}
		if events, err = r.Read(events, dialect.Frame{Event: f.Name, Data: f.Data}); err != nil {
			return err
		}
		var chunk struct {
			ID, Model string
			Created   int64
		}
		if json.Unmarshal(f.Data, &chunk) == nil && chunk.ID != "" {
			ids[chunk.ID+chunk.Model+strconv.FormatInt(chunk.Created, 10)] = true
		}
		if len(ids) > 1 {
			return errors.New("more than one id, model or time")
		}
	}
	_, err := r.Close(events)
	if resp := llm.Collect(events); err == nil && (len(resp.Choices) != 1 || resp.Choices[0].Stop.Reason != llm.StopEnd) {
		return errors.New("no natural end")
	}
	return err
}

// stallBody says nothing more after what is left, until its request ends.
type stallBody struct {
	left []byte
	ctx  context.Context //nolint:containedctx // as a response's body
}

func (b *stallBody) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		<-b.ctx.Done()
		return 0, context.Cause(b.ctx)
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

func (b *stallBody) Close() error { return nil }
