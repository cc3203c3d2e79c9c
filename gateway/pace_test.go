package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// floored asks for three tokens a second within each window.
func floored(window time.Duration) route.Timeouts {
	t := patient()
	t.MinRate, t.RateWindow = 3, window
	return t
}

// A15: a trickle is replaced before the client has any of it, where a pace is asked
// for, and else served as it comes (F09).
func TestA15Trickle(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	// Between two words, in milliseconds. A window asks for more words than there are, and is over long before the last:
	// a gateway that comes late to the first still sees too few.
	const trickle, window = 1000, 2 * time.Second
	for _, a := range apis {
		for _, lead := range []string{a.own[0], a.other[0]} {
			for _, times := range []route.Timeouts{floored(window), patient()} {
				beside.run(t, a.name+" from "+lead, func(t *testing.T) {
					w := newWorld(t, withTimeouts(times))
					if err := w.vendors[lead].SetFault(&fakeprovider.Fault{Kind: "drip", After: trickle}); err != nil {
						t.Fatal(err)
					}
					got := w.post(a, body(lead+">"+a.own[1], "One two three.", true), nil)
					rec := w.record()
					want, code := 1, llm.Code("")
					if times.MinRate > 0 {
						want, code = 2, llm.CodeTimeout
					}
					if !got.whole() || got.text != "You said: One two three." || len(rec.Attempts) != want {
						t.Errorf("floor %v: got %v after %d attempts, want the whole text once after %d", times.MinRate, got, len(rec.Attempts), want)
					}
					if first := rec.Attempts[0]; first.Code != code || first.Committed != (code == "") {
						t.Errorf("floor %v: got the first attempt as %+v, want code %q", times.MinRate, first, code)
					}
				})
			}
		}
	}
}

// TestA15WholeAnswer: an answer that is not streamed and drips is replaced, too: it
// has the stall limit to be whole once it has begun.
func TestA15WholeAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(impatient()))
	for _, a := range apis {
		w.fail(a.own[0], "slow-body")
		if got := w.post(a, body(a.own[0]+">"+a.own[1], "Hello", false), nil); !got.whole() {
			t.Errorf("%s: got %v, want the understudy's answer", a.name, got)
		}
	}
}

// TestA15NeitherShortNorBrisk: the pace does not get in the way of an answer that is
// short, or of one that keeps it. The clock is the test's own: by that of a busy machine nobody
// keeps a pace for sure.
func TestA15NeitherShortNorBrisk(t *testing.T) {
	t.Parallel()
	for _, vendor := range apis {
		for name, reply := range map[string]fakeprovider.Reply{
			"short": {Text: "You said: Hi"}, "of one piece": {Parts: manyParts(1)}, "brisk": {Parts: manyParts(500)},
			"a call": {ToolCalls: []fakeprovider.ToolCall{{Name: "get_weather", Arguments: `{"city":"Oslo"}`}}},
		} {
			stream := recordStream(t, vendor, reply)
			for _, client := range apis {
				synctest.Test(t, func(t *testing.T) {
					var rec gateway.Record
					gw := cutGateway(t, vendor, senderFunc(func(ctx context.Context, _ transport.Request) (*transport.Response, error) {
						body := &spaced{ctx, bytes.SplitAfter(stream, []byte("\n\n")), 10 * time.Millisecond}
						return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(body)}, nil
					}), func(o *gateway.Options) {
						o.Routes = flooredRoutes{o.Routes}
						o.Settle = func(r gateway.Record) { rec = r }
					})
					answer := httptest.NewRecorder()
					gw.ServeHTTP(answer, cutRequest(t, client, "http://understudy"))
					got := answer.Body.Bytes()
					if _, clean, failed, _ := ends(client, got); clean != 1 || failed != 0 || rec.Code != "" || payload(client, got) != payload(vendor, stream) {
						t.Errorf("%s from %s, %s: got %d clean ends, %d errors, code %q and %.300s; want its answer", client.name, vendor.name, name, clean, failed, rec.Code, got)
					}
				})
			}
		}
	}
}

// spaced says an event at a time, each after a pause, until its request ends.
type spaced struct {
	ctx    context.Context //nolint:containedctx // as a response's body
	events [][]byte
	pause  time.Duration
}

func (s *spaced) Read(p []byte) (int, error) {
	for len(s.events) > 0 && len(s.events[0]) == 0 {
		s.events = s.events[1:]
	}
	if len(s.events) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.pause):
	case <-s.ctx.Done():
		return 0, context.Cause(s.ctx)
	}
	n := copy(p, s.events[0])
	s.events[0] = s.events[0][n:]
	return n, nil
}

// TestA15SlowsDown: a stream that falls below the pace after it was committed to is
// as one that stalled.
func TestA15SlowsDown(t *testing.T) {
	t.Parallel()
	for _, vendor := range apis {
		stream := recordStream(t, vendor, fakeprovider.Reply{Parts: manyParts(60)})
		for _, client := range apis {
			t.Run(client.name+" from "+vendor.name, func(t *testing.T) {
				t.Parallel()
				var rec gateway.Record
				var writing sync.WaitGroup
				defer writing.Wait()
				gw := cutGateway(t, vendor, senderFunc(func(ctx context.Context, _ transport.Request) (*transport.Response, error) {
					r, w := io.Pipe()
					context.AfterFunc(ctx, func() { _ = r.CloseWithError(context.Cause(ctx)) })
					writing.Go(func() { slowDown(w, stream) })
					return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: r}, nil
				}), func(o *gateway.Options) {
					o.Routes = flooredRoutes{o.Routes}
					o.Settle = func(r gateway.Record) { rec = r }
				})
				answer := httptest.NewRecorder()
				gw.ServeHTTP(answer, cutRequest(t, client, "http://understudy"))
				_, clean, failed, _ := ends(client, answer.Body.Bytes())
				if clean != 0 || failed != 1 || rec.Code != llm.CodeTimeout || !rec.Attempts[0].Committed {
					t.Errorf("got %d clean ends, %d errors and record %+v; want a timeout after commit", clean, failed, rec)
				}
			})
		}
	}
}

func manyParts(n int) []string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = "word "
	}
	return parts
}

// slowDown writes half of a stream at once, and the rest far too slowly.
func slowDown(w *io.PipeWriter, stream []byte) {
	events := bytes.SplitAfter(stream, []byte("\n\n"))
	for i, e := range events {
		if i > len(events)/2 {
			time.Sleep(600 * time.Millisecond)
		}
		if _, err := w.Write(e); err != nil {
			return
		}
	}
	_ = w.Close()
}

// flooredRoutes asks for a pace on every route.
type flooredRoutes struct{ gateway.Routes }

func (f flooredRoutes) Pick(model string) (route.Route, bool) {
	r, ok := f.Routes.Pick(model)
	r.Timeouts = floored(time.Second)
	return r, ok
}
