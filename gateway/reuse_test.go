package gateway_test

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/transport"
)

// TestConnectionsAreKept: a stream that came to its end leaves its connection to
// the next one, also when the body ends a moment after the stream.
// The end of a body is not waited for long, so a machine that is busy has some tries.
func TestConnectionsAreKept(t *testing.T) {
	for _, vendor := range apis {
		stream := recordStream(t, vendor, fakeprovider.Reply{Text: "Hello."})
		var conns atomic.Int64
		upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write(stream)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(2 * time.Millisecond)
		}))
		upstream.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		}
		upstream.Start()
		tr := transport.New(transport.Options{})
		for _, client := range apis {
			gw := cutGateway(t, vendor, senderFunc(func(ctx context.Context, r transport.Request) (*transport.Response, error) {
				r.URL = upstream.URL
				return tr.Send(ctx, r)
			}))
			least := int64(math.MaxInt64)
			for try := 0; try < 10 && least > 1; try++ {
				conns.Store(0)
				for range 10 {
					rec := httptest.NewRecorder()
					gw.ServeHTTP(rec, cutRequest(t, client, "http://understudy"))
					if _, clean, _, _ := ends(client, rec.Body.Bytes()); clean != 1 {
						t.Fatalf("got %s", rec.Body)
					}
				}
				least = min(least, conns.Load())
			}
			if least > 1 {
				t.Errorf("%s from %s: got %d connections for 10 streams, want one", client.name, vendor.name, least)
			}
		}
		tr.Close()
		upstream.Close()
	}
}
