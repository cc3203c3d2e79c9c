package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// TestCutAnywhere cuts recorded streams at every byte, as a body that ends and as
// one that breaks, for clients of all three dialects, which take turns if it is no whole
// sweep. Whatever the place, the client never takes a part for the whole, has one start and
// one end, and loses nothing that the vendor had sent. Bodies that break are cut at fewer
// places, if not at full length.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, vendor := range cutAPIs {
		for name, reply := range cutReplies() {
			stream := recordStream(t, vendor, reply)
			full := payload(vendor, stream)
			if full == "" {
				t.Fatalf("%s, %s: got no payload in %s", vendor.name, name, stream)
			}
			for _, client := range cutAPIs {
				var cut cutBody
				gw := cutGateway(t, vendor, senderFunc(func(context.Context, transport.Request) (*transport.Response, error) {
					body := cut
					return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: &body}, nil
				}))
				sent, last := "", heard{}
				for n := range len(stream) + 1 {
					if len(wholeEvents(stream[:n])) == n {
						sent = payload(vendor, stream[:n])
					}
					for _, end := range []error{io.EOF, syscall.ECONNRESET} {
						if end != io.EOF && n%atFullLength(1, 7) > 0 || leavesOut(vendor, client, n) {
							continue
						}
						cut = cutBody{left: stream[:n], end: end}
						rec := httptest.NewRecorder()
						gw.ServeHTTP(rec, cutRequest(t, client, "http://understudy"))
						where := vendor.name + " to " + client.name + ", " + name + ", " + end.Error() + " after " + strconv.Itoa(n) + " bytes"
						holdCut(t, where, client, rec.Code, last.hear(client, rec.Body.Bytes()), sent, full)
					}
				}
			}
		}
	}
}

// TestResetAnywhere does the same with real connections that are reset, at every byte if it runs at full length.
func TestResetAnywhere(t *testing.T) {
	t.Parallel()
	for _, vendor := range cutAPIs {
		stream := recordStream(t, vendor, cutReplies()["text"])
		full := payload(vendor, stream)
		var sends atomic.Int64 // so many bytes of the stream, from the vendor
		tr := transport.New(transport.Options{})
		at := rawVendor(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"+string(stream[:sends.Load()]))
			time.Sleep(time.Millisecond) // a reset overtakes what is not yet read
			_ = conn.(*net.TCPConn).SetLinger(0)
		})
		for _, client := range cutAPIs {
			gw := cutGateway(t, vendor, senderFunc(func(ctx context.Context, r transport.Request) (*transport.Response, error) {
				r.URL = at
				return tr.Send(ctx, r)
			}))
			var last heard
			for n := 0; n <= len(stream); n += atFullLength(1, 61) {
				sends.Store(int64(n))
				rec := httptest.NewRecorder()
				gw.ServeHTTP(rec, cutRequest(t, client, "http://understudy"))
				where := vendor.name + " to " + client.name + ", reset after " + strconv.Itoa(n) + " bytes"
				holdCut(t, where, client, rec.Code, last.hear(client, rec.Body.Bytes()), "", full)
			}
		}
		tr.Close()
	}
}

func cutReplies() map[string]fakeprovider.Reply {
	return map[string]fakeprovider.Reply{
		"text": {Parts: []string{"Gr\u00fc\u00dfe, ", "\"\u4e16\u754c\" ", "\U0001f30a", " \\ done."}},
		"tool": {Text: "Looking. ", ToolCalls: []fakeprovider.ToolCall{{Name: "get_weather", Arguments: `{"city":"Ys \"}","days":[1,2]}`}}},
	}
}

// holdCut looks at what a client got of a stream that was cut after the vendor had
// sent the given payload in whole events.
func holdCut(t *testing.T, where string, client api, status int, h *heard, sent, full string) {
	t.Helper()
	body := h.stream
	if status != http.StatusOK {
		if sent != "" || status < 500 || !json.Valid(body) {
			t.Errorf("%s: got status %d with %s after the payload %q", where, status, body, sent)
		}
		return
	}
	got := h.payload
	if !strings.HasPrefix(full, got) || !strings.HasPrefix(got, sent) {
		t.Errorf("%s: got payload %q, want at least %q of %q", where, got, sent, full)
	}
	if h.starts != 1 || h.clean+h.failed != 1 || h.after {
		t.Errorf("%s: got %d starts, %d clean ends and %d errors (events after: %v) in %s", where, h.starts, h.clean, h.failed, h.after, body)
	}
	if h.clean > 0 && got != full {
		t.Errorf("%s: got a clean end after %q, want it only after %q", where, got, full)
	}
}

// heard is what a client makes of a stream.
type heard struct {
	stream                []byte
	payload               string
	starts, clean, failed int
	after                 bool
	isLegal               bool // it was found so
}

// hear reads a stream, unless it is the one heard before: cuts within one event mostly come to the same.
func (h *heard) hear(a api, stream []byte) *heard {
	if h.stream == nil || !bytes.Equal(stream, h.stream) {
		h.stream, h.payload = stream, payload(a, stream)
		h.starts, h.clean, h.failed, h.after = ends(a, stream)
		h.isLegal = false
	}
	return h
}

// ends counts the starts and the ends of a stream, and notes what follows an end.
func ends(a api, stream []byte) (starts, clean, failed int, after bool) {
	for _, e := range allEvents(stream) {
		after = after || clean+failed > 0
		switch {
		case bytes.Equal(e, []byte("[DONE]")) || bytes.Contains(e, []byte(`"type":"message_stop"`)) || bytes.Contains(e, []byte(`"type":"response.completed"`)):
			clean++
		case bytes.Contains(e, []byte(`"error":{`)):
			failed++
		case a.name == chatAPI.name && bytes.Contains(e, []byte(`"role":"assistant"`)),
			bytes.Contains(e, []byte(`"type":"message_start"`)), bytes.Contains(e, []byte(`"type":"response.created"`)):
			starts++
		}
	}
	return starts, clean, failed, after
}

// payload is what an application uses of a stream: texts and arguments.
func payload(a api, stream []byte) string {
	var out strings.Builder
	for _, e := range allEvents(stream) {
		if !bytes.Contains(e, []byte(`"delta":`)) {
			continue // as are the long ones, which repeat the whole answer
		}
		var v struct {
			Type    string
			Choices []struct {
				Delta struct {
					Content string
					Calls   []struct {
						Function struct{ Arguments string }
					} `json:"tool_calls"`
				}
			}
			Delta json.RawMessage
		}
		_ = json.Unmarshal(e, &v)
		for _, c := range v.Choices {
			out.WriteString(c.Delta.Content)
			for _, call := range c.Delta.Calls {
				out.WriteString(call.Function.Arguments)
			}
		}
		var text string
		var block struct {
			Text string
			JSON string `json:"partial_json"`
		}
		switch {
		case v.Type == "response.output_text.delta" || v.Type == "response.function_call_arguments.delta":
			_ = json.Unmarshal(v.Delta, &text)
		case v.Delta != nil:
			_ = json.Unmarshal(v.Delta, &block)
		}
		out.WriteString(text + block.Text + block.JSON)
	}
	return out.String()
}

func allEvents(stream []byte) (events [][]byte) {
	r := sse.NewReader(bytes.NewReader(stream), 0)
	for {
		e, err := r.Next()
		if err != nil {
			return events
		}
		if e.HasData {
			events = append(events, bytes.Clone(e.Data))
		}
	}
}

// wholeEvents is the stream up to the last empty line.
func wholeEvents(stream []byte) []byte {
	if i := bytes.LastIndex(stream, []byte("\n\n")); i >= 0 {
		return stream[:i+2]
	}
	return nil
}

// recordStream is what the vendor of a dialect streams.
func recordStream(t *testing.T, a api, reply fakeprovider.Reply) []byte {
	t.Helper()
	v := fakeprovider.New(fakeprovider.Options{})
	if _, err := v.Start(); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	v.Enqueue(reply)
	r := cutRequest(t, a, v.RootURL())
	r.RequestURI = ""
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	stream, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, %v, %s", resp.StatusCode, err, stream)
	}
	return stream
}

func cutRequest(t *testing.T, a api, root string) *http.Request {
	t.Helper()
	raw, err := json.Marshal(shaped(a, body(upstreamModel(a), "Hello", true, map[string]any{"tools": []any{weatherTool(a)}})))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, root+a.path, bytes.NewReader(raw))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", "test")
	r.Header.Set("Authorization", "Bearer test")
	r.Header.Set(gateway.HeaderFallback, "off")
	for k, v := range a.header {
		r.Header.Set(k, v)
	}
	return r
}

// shaped makes a minimal request one of the dialect.
func shaped(a api, request map[string]any) map[string]any {
	if a.shape != nil {
		a.shape(request)
	}
	return request
}

// cutAPIs are the dialects whose streams are cut.
var cutAPIs = []api{chatAPI, messagesAPI, responsesAPI}

// atFullLength is the first where the test runs at full length, else the second.
func atFullLength(full, short int) int {
	if os.Getenv(fullLength) != "" {
		return full
	}
	return short
}

// leavesOut reports whether a cut is left to another client: each place of a stream has its turn with one. In a whole
// sweep it is left only where a stream is one of Responses, which are long, and at full length never.
func leavesOut(vendor, client api, place int) bool {
	isLong := vendor.name == responsesAPI.name || client.name == responsesAPI.name
	if os.Getenv(fullLength) != "" || os.Getenv(wholeSweep) != "" && !isLong {
		return false
	}
	turn := slices.IndexFunc(cutAPIs, func(a api) bool { return a.name == client.name })
	return place%len(cutAPIs) != turn
}

// cutGateway is a gateway whose one provider speaks a's dialect and is reached by
// the sender, whatever the model.
func cutGateway(t *testing.T, a api, s gateway.Sender, more ...func(*gateway.Options)) http.Handler {
	t.Helper()
	p := &provider.Provider{ID: "vendor", Facts: provider.Facts{
		BaseURL: "http://127.0.0.1", Auth: "bearer", Dialects: map[dialect.Name]string{nameOf(a): a.path},
	}, Private: true}
	o := gateway.Options{
		Dialects: []*dialect.Dialect{openaichat.New(), anthropic.New(), openairesponses.New()},
		Routes:   anyModel{p}, Sender: s, Log: slog.New(slog.DiscardHandler),
		Now: time.Now, NewID: func() string { return "call-1" },
	}
	for _, change := range more {
		change(&o)
	}
	_, handler := forgetful(o)
	return handler
}

// senderFunc is a function as a sender.
type senderFunc func(context.Context, transport.Request) (*transport.Response, error)

func (f senderFunc) Send(ctx context.Context, r transport.Request) (*transport.Response, error) {
	return f(ctx, r)
}

// always is a sender by which every vendor gives one answer.
func always(media, text string) senderFunc {
	return func(context.Context, transport.Request) (*transport.Response, error) {
		return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

// cutBody ends with an error after what is left.
type cutBody struct {
	left []byte
	end  error
}

func (b *cutBody) Read(p []byte) (int, error) {
	n := copy(p, b.left)
	b.left = b.left[n:]
	if n == 0 {
		return 0, b.end
	}
	return n, nil
}

func (b *cutBody) Close() error { return nil }

// rawVendor serves connections that each bring one request, and returns the URL.
func rawVendor(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				serve(conn)
			}
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// anyModel routes every model to one provider.
type anyModel struct{ p *provider.Provider }

func (m anyModel) Pick(model string) (route.Route, bool) {
	return route.Route{
		Model: model, Timeouts: patient(), Loss: llm.LossReport,
		Targets: []route.Target{{Provider: m.p, Model: model, Facts: llm.ModelFacts{MaxOutput: 8192}}},
	}, true
}

func (anyModel) Entries() []dialect.ModelEntry { return nil }
