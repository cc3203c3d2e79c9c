package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	slowRate = 1 << 10 // bytes a second that a slow client reads
	fastPace = 100     // milliseconds between the events of a stream that is read at once
)

// slowReaders is L5: streams that are read at once, alone, and beside as many that are read at a kibibyte a second, for
// which their vendors, who say as much as they can, have to wait.
func (b *bench) slowReaders(ctx context.Context, s *stage) ([]figure, error) {
	n, pid := max(b.streams/10, 1), s.process.cmd.Process.Pid
	l := &late{}
	var all sync.WaitGroup
	var lost, cut atomic.Int64
	var conns sync.Map
	open := func(model string, read func(*http.Response)) {
		conn, answer, err := s.send(ctx, model, true)
		if err != nil || answer.StatusCode != http.StatusOK {
			lost.Add(1)
			return
		}
		conns.Store(conn, true)
		all.Go(func() {
			defer answer.Body.Close()
			read(answer)
		})
	}
	measure := func() (p50, p99 time.Duration, used int64, err error) {
		l.on.Store(true)
		select {
		case <-time.After(b.duration / 20):
		case <-ctx.Done():
		}
		l.on.Store(false)
		l.mu.Lock()
		p50, p99 = at(l.all, 0.5), at(l.all, 0.99)
		l.all = nil
		l.mu.Unlock()
		used, err = memory(pid)
		return p50, p99, used, err
	}
	for range n {
		open(fmt.Sprintf("tick-%d-%d", fastPace, 100_000), func(answer *http.Response) { l.follow(answer.Body) })
	}
	alone50, alone99, _, err := measure()
	if err != nil {
		return nil, err
	}
	for range n {
		open(floodModel, func(answer *http.Response) {
			for {
				if _, err := io.CopyN(io.Discard, answer.Body, slowRate/4); err != nil {
					if !errors.Is(err, net.ErrClosed) {
						cut.Add(1)
					}
					return
				}
				time.Sleep(time.Second / 4)
			}
		})
	}
	if _, _, _, err := measure(); err != nil { // until what is between vendor and client is full
		return nil, err
	}
	beside50, beside99, first, err := measure()
	if err != nil {
		return nil, err
	}
	_, _, last, err := measure()
	conns.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true }) //nolint:forcetypeassert // it holds nothing else
	all.Wait()
	text := func(p50, p99 time.Duration) string {
		return fmt.Sprintf("%v / %v", p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond))
	}
	return []figure{
		{"streams read at once and slowly, failed, cut", fmt.Sprintf("%d and %d, %d, %d", n, n, lost.Load(), cut.Load()), "0, 0"},
		{"event on its way, p50 / p99, alone", text(alone50, alone99), ""},
		{"event on its way, p50 / p99, beside slow readers", text(beside50, beside99), "as alone"},
		{"memory at the beginning and the end", fmt.Sprintf("%d and %d MiB", first>>20, last>>20), "flat"},
	}, errors.Join(err, ctx.Err())
}
