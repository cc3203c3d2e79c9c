//go:build unix

package dialect_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
)

// TestWaitingIsQuick answers many in the order that takes longest to search.
func TestWaitingIsQuick(t *testing.T) { // not in parallel: it measures
	const n = 200_000
	begun := spent()
	var w dialect.Waiting[int]
	var u dialect.Unused
	for i := range n {
		w.Add(i, fmt.Sprint(i), "all")
		u.Take("same", true, func(n int) string { return fmt.Sprint("same", n) })
	}
	for i := range n {
		if got, ok := w.Take(fmt.Sprint(n - 1 - i)); !ok || got != n-1-i || w.Len() > 0 && w.First() != 0 {
			t.Fatalf("got %d, want %d", got, n-1-i)
		}
	}
	if took := spent() - begun; took > 5*time.Second {
		t.Errorf("got %v for %d, want it to grow with their number alone", took, n)
	}
}

// TestManyUnknownMembers: a request may be made of nothing else, and still costs
// little and is answered with little.
func TestManyUnknownMembers(t *testing.T) { // not in parallel: it measures
	const members = 100_000
	var b strings.Builder
	b.WriteString(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]`)
	for i := range members {
		fmt.Fprintf(&b, `,"unknown%d":1`, i)
	}
	b.WriteString(`}`)
	chat, messages := openaichat.New(), anthropic.New()
	for _, pair := range [][2]*dialect.Dialect{{chat, messages}, {messages, chat}} {
		begun := spent()
		req, err := pair[0].Client.DecodeRequest([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		losses := dialect.Contract(pair[0], pair[1], req)
		message := dialect.RefusalMessage(losses, pair[1].Name)
		if took := spent() - begun; len(losses) < members || took > 5*time.Second {
			t.Errorf("%s: got %d losses in %v, want %d at once", pair[0].Name, len(losses), took, members)
		}
		if len(message) > 2<<10 || !strings.Contains(message, "and more") {
			t.Errorf("%s: got a message of %d bytes, want a short one", pair[0].Name, len(message))
		}
	}
}

// spent is the CPU time of the program: how busy the machine is with others does not count.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
