package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/transport"
)

// TestKeyInAnErrorInside: an error that comes in the place of an answer, or within one, is shown without the key that it
// quotes, whatever that looks like, and whether or not a stream was asked for.
func TestKeyInAnErrorInside(t *testing.T) {
	t.Parallel()
	const key = "canary of no usual form"
	failure := `{"error":{"message":"` + key + ` may not ask for this","type":"invalid_request_error","param":null,"code":null}}`
	for _, answer := range [][2]string{{"application/json", failure}, {"text/event-stream", "data: " + failure + "\n\n"}} {
		for _, stream := range []bool{false, true} {
			w := newWorld(t, func(o *gateway.Options, _ *world) {
				o.Sender = senderFunc(func(context.Context, transport.Request) (*transport.Response, error) {
					return &transport.Response{
						Status: 200, Header: http.Header{"Content-Type": {answer[0]}}, Body: io.NopCloser(strings.NewReader(answer[1])), Shown: provider.NewSecret(key),
					}, nil
				})
			})
			for _, a := range apis {
				got := w.post(a, body("chat1", "Hello", stream), nil)
				if got.status < 400 && got.ended != "error" || strings.Contains(string(got.body)+w.log.String(), "canary") {
					t.Errorf("%s, stream %v, %s: got %v, want an error without the key", a.name, stream, answer[0], got)
				}
			}
		}
	}
}
