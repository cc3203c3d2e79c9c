//go:build failpoints

package app

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/store/journal"
	"github.com/understudy-ai/understudy/transport"
)

// What a binary with failpoints is told by its environment: "flushed:3" ends it, as kill -9 does, when it comes to that
// point of the journal for the third time, and a small size makes files that are soon full.
const (
	dieAtEnv    = "UNDERSTUDY_DIE_AT"
	fileSizeEnv = "UNDERSTUDY_JOURNAL_FILE"
)

func failpoints(o *journal.Options) {
	if size, err := strconv.ParseInt(os.Getenv(fileSizeEnv), 10, 64); err == nil {
		o.FileSize = size
	}
	point, text, _ := strings.Cut(os.Getenv(dieAtEnv), ":")
	if point == "" {
		return
	}
	times, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(dieAtEnv + ": want a point and how often it is come to, such as flushed:3")
	}
	var left atomic.Int64
	left.Store(times)
	o.Reach = func(at string) {
		if at == point && left.Add(-1) == 0 {
			die()
		}
	}
}

func die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {} // until it is dead
}

// faulty is a sender with a fault of ours: with a model whose name at its provider ends in "+panic-3" it panics when its
// answer is read for the third time, with "+panic-0" as it is asked.
func faulty(s gateway.Sender) gateway.Sender { return faultySender{s} }

type faultySender struct{ gateway.Sender }

func (f faultySender) Send(ctx context.Context, r transport.Request) (*transport.Response, error) {
	_, text, _ := strings.Cut(r.For.Model, "+panic-")
	reads, err := strconv.Atoi(text)
	if err != nil {
		return f.Sender.Send(ctx, r)
	}
	if reads == 0 {
		panic("BUG: for the test")
	}
	answer, err := f.Sender.Send(ctx, r)
	if err == nil {
		answer.Body = &faultyBody{answer.Body, reads}
	}
	return answer, err
}

type faultyBody struct {
	io.ReadCloser
	left int
}

func (b *faultyBody) Read(p []byte) (int, error) {
	if b.left--; b.left == 0 {
		panic("BUG: for the test")
	}
	return b.ReadCloser.Read(p)
}
