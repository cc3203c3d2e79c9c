package dialect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
)

// TestManyUnknownMembers: a request may be made of nothing else, and still costs
// little and is answered with little.
func TestManyUnknownMembers(t *testing.T) {
	t.Parallel()
	const members = 100_000
	var b strings.Builder
	b.WriteString(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]`)
	for i := range members {
		fmt.Fprintf(&b, `,"unknown%d":1`, i)
	}
	b.WriteString(`}`)
	chat, messages := openaichat.New(), anthropic.New()
	for _, pair := range [][2]*dialect.Dialect{{chat, messages}, {messages, chat}} {
		start := time.Now()
		req, err := pair[0].Client.DecodeRequest([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		losses := dialect.Contract(pair[0], pair[1], req)
		message := dialect.RefusalMessage(losses, pair[1].Name)
		if took := time.Since(start); len(losses) < members || took > 5*time.Second {
			t.Errorf("%s: got %d losses in %v, want %d at once", pair[0].Name, len(losses), took, members)
		}
		if len(message) > 2<<10 || !strings.Contains(message, "and more") {
			t.Errorf("%s: got a message of %d bytes, want a short one", pair[0].Name, len(message))
		}
	}
}
