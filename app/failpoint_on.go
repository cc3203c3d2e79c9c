//go:build failpoints

package app

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/understudy-ai/understudy/store/journal"
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
