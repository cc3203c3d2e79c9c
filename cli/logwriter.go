package cli

import (
	"io"
	"sync"
	"time"
)

const (
	// logEvery is how long a line may wait for others when lines come fast.
	logEvery = 50 * time.Millisecond
	// logBatch is how many bytes of lines wait at most.
	logBatch = 32 << 10
)

// logWriter writes lines together when they come fast: a system call for every call
// that the gateway serves is a large part of what it costs. A line that comes after a
// pause is written at once.
type logWriter struct {
	w io.Writer

	mu    sync.Mutex
	lines []byte
	last  time.Time   // of the latest write
	timer *time.Timer // runs while lines wait
}

// Write takes in a line. The error is that of an earlier write, if any.
func (l *logWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line...)
	if len(l.lines) >= logBatch || time.Since(l.last) >= logEvery {
		return len(line), l.flush()
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(logEvery, func() { _ = l.Flush() }) // nobody is there to hear that a log cannot be written
	}
	return len(line), nil
}

// Flush writes what waits.
func (l *logWriter) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

func (l *logWriter) flush() error {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.last = time.Now()
	if len(l.lines) == 0 {
		return nil
	}
	_, err := l.w.Write(l.lines)
	l.lines = l.lines[:0]
	return err
}
