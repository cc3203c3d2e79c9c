package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/transport"
)

// slowClient opens a call whose answer waits until it is read.
func (w *world) slowClient(a api, b map[string]any) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.closers = append([]func(){func() { _ = conn.Close() }}, w.closers...)
	// A buffer that grows takes megabytes and then nothing until many of them are read.
	if err := conn.(*net.TCPConn).SetReadBuffer(4 * piece); err != nil { //nolint:forcetypeassert // it was dialled so
		w.t.Fatal(err)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: understudy\r\nContent-Length: %d\r\n", a.path, len(raw))
	for k, v := range a.header {
		fmt.Fprintf(conn, "%s: %s\r\n", k, v)
	}
	fmt.Fprintf(conn, "\r\n%s", raw)
	return conn, bufio.NewReader(conn)
}

const piece = 64 << 10

// longReply has so many pieces. More than the buffers between a vendor and a client take is enough:
// a simulated vendor that has to write it under the race detector takes its time.
func longReply(pieces int) fakeprovider.Reply {
	return fakeprovider.Reply{Parts: slices.Repeat([]string{strings.Repeat("x", piece)}, pieces)}
}

// TestSlowReaderIsNotTheVendorsFault: while a client does not read, the vendor
// cannot go on. That is no stall of the vendor's.
func TestSlowReaderIsNotTheVendorsFault(t *testing.T) {
	t.Parallel()
	const stall, pieces = slowdown * 3 * time.Second, 100
	times, limits := patient(), gateway.DefaultLimits()
	times.Stall, times.Total, limits.WriteTimeout = stall, 10*time.Minute, 10*time.Minute // a busy machine may take its time to read
	w := newWorld(t, withLimits(limits), withTimeouts(times))
	type slow struct {
		a    api
		lead string
		r    *bufio.Reader
	}
	var clients []slow
	for _, a := range apis {
		for _, lead := range []string{a.own[0], a.other[0]} {
			w.vendors[lead].Enqueue(longReply(pieces))
			_, r := w.slowClient(a, body(lead, "Hello", true))
			if _, err := r.Peek(1); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, slow{a, lead, r})
		}
	}
	time.Sleep(2 * stall)
	w.mu.Lock()
	if n := len(w.records); n != 0 {
		t.Errorf("got %d calls that were over before they were read, want 0: the text is too short for this test", n)
	}
	w.mu.Unlock()
	for _, c := range clients {
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got answer
		got.readStream(c.a, resp.Body)
		if got.ended != "clean" || len(got.text) != pieces*piece {
			t.Errorf("%s from %s: got %d bytes, ended %q (%s, %v), want all of them", c.a.name, c.lead, len(got.text), got.ended, got.errTyp, got.err)
		}
	}
}

// TestWriteTimeout: a client may be as slow as it likes while it reads, and is
// given up when it does not (S61).
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	const pieces = 200
	limits := gateway.DefaultLimits()
	limits.WriteTimeout = slowdown * 2 * time.Second
	for _, stream := range []bool{false, true} {
		beside.run(t, fmt.Sprintf("slow reader, stream %v", stream), func(t *testing.T) {
			w := newWorld(t, withLimits(limits))
			w.vendors["chat1"].Enqueue(longReply(pieces))
			_, r := w.slowClient(chatAPI, body("chat1", "Hello", stream))
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			n, err := io.Copy(io.Discard, &paced{r: resp.Body, every: 1 << 20, pause: limits.WriteTimeout / 5})
			if took := time.Since(begun); err != nil || n < pieces*piece || took < 2*limits.WriteTimeout {
				t.Errorf("got %d bytes, %v, in %v; want all, after more than the time for a write", n, err, took)
			}
		})
		beside.run(t, fmt.Sprintf("no reader, stream %v", stream), func(t *testing.T) {
			w := newWorld(t, withLimits(limits))
			w.vendors["chat1"].Enqueue(longReply(pieces))
			_, r := w.slowClient(chatAPI, body("chat1", "Hello", stream))
			if _, err := r.Peek(1); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			rec := w.record()
			if took := time.Since(begun); rec.Code != llm.CodeClientGone || took > 10*limits.WriteTimeout {
				t.Errorf("got code %q after %v, want client_gone soon", rec.Code, took)
			}
		})
	}
}

// paced pauses after so many bytes.
type paced struct {
	r     io.Reader
	every int
	pause time.Duration
	n     int
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.n += n; p.n >= p.every {
		p.n -= p.every
		time.Sleep(p.pause)
	}
	return n, err
}

// TestCommentsDelayNothing: an event reaches the client when it comes, also when a
// comment came with it.
func TestCommentsDelayNothing(t *testing.T) {
	t.Parallel()
	for _, vendor := range apis {
		stream := recordStream(t, vendor, fakeprovider.Reply{Parts: []string{"First.", "Second."}})
		first := stream[:bytes.Index(stream, []byte("Second."))]
		first = append(bytes.Clone(wholeEvents(first)), ": processing\n\n"...)
		for _, client := range apis {
			body, vendorSide := io.Pipe()
			gw := cutGateway(t, vendor, senderFunc(func(context.Context, transport.Request) (*transport.Response, error) {
				return &transport.Response{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
			}))
			server := httptest.NewServer(gw)
			go func() { _, _ = vendorSide.Write(first) }()
			late := time.AfterFunc(30*time.Second, func() { _ = vendorSide.CloseWithError(io.ErrUnexpectedEOF) })
			r := cutRequest(t, client, server.URL)
			r.RequestURI = ""
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			events := sse.NewReader(resp.Body, 0)
			for {
				e, err := events.Next()
				if err != nil {
					t.Fatalf("%s from %s: got %v before the first piece", client.name, vendor.name, err)
				}
				if bytes.Contains(e.Data, []byte("First.")) {
					break
				}
			}
			if !late.Stop() {
				t.Errorf("%s from %s: got the first piece when the stream was over, want it as it came", client.name, vendor.name)
			}
			_ = vendorSide.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			server.Close()
		}
	}
}
