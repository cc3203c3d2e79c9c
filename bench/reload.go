package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The load beside which a config is read anew, and how often that is.
const (
	reloadRate   = 500 // whole answers a second
	reloadWait   = 20  // milliseconds that each takes
	reloadPace   = 600 // milliseconds between the events of a stream
	reloads      = 100
	reloadTime   = 20 * time.Millisecond // at least, for each
	wrongReloads = 5                     // every so many is refused
)

// reloads is L8: a config that is read anew a hundred times, a fifth of them in vain, beside calls and streams.
func (b *bench) reloads(ctx context.Context, s *stage) ([]figure, error) {
	n, lasts := max(b.streams/10, 1), b.duration/5
	events := int64(lasts/(reloadPace*time.Millisecond)) + 2
	var all, opening sync.WaitGroup
	var l late
	var whole atomic.Int64
	for range n {
		opening.Add(1)
		all.Go(func() {
			conn, answer, err := s.send(ctx, fmt.Sprintf("tick-%d-%d", reloadPace, events), true)
			opening.Done()
			if err != nil {
				return
			}
			defer conn.Close()
			defer answer.Body.Close()
			if answer.StatusCode == http.StatusOK && l.follow(answer.Body) == events {
				whole.Add(1)
			}
		})
	}
	opening.Wait()
	calls := make(chan *offered, 1)
	go func() { calls <- s.offer(ctx, reloadWait, reloadRate, lasts) }()
	times := min(max(int(lasts/reloadTime), wrongReloads), reloads)
	taken, refused, err := b.reload(ctx, s, times, lasts)
	o := <-calls
	all.Wait()
	if err != nil {
		return nil, err
	}
	return []figure{
		{"configs taken, refused", fmt.Sprintf("%d, %d", taken, refused), fmt.Sprintf("%d, %d", times-times/wrongReloads, times/wrongReloads)},
		{"streams whole, cut, events lost", fmt.Sprintf("%d, %d, %d", whole.Load(), int64(n)-whole.Load(), l.lost.Load()), "all, 0, 0"},
		{"whole answers a second, others", fmt.Sprintf("%.0f of %d, %d", o.rate(), reloadRate, o.failed+len(o.times(false))), "0 others"},
		{"whole answers, p50 / p99", fmt.Sprintf("%v / %v", at(o.times(true), 0.5).Round(10*time.Microsecond), o.p99().Round(10*time.Microsecond)), ""},
	}, ctx.Err()
}

// reload changes the config again and again, and counts what the gateway says of that.
func (b *bench) reload(ctx context.Context, s *stage, times int, lasts time.Duration) (taken, refused int, err error) {
	text, err := os.ReadFile(s.process.config)
	if err != nil {
		return 0, 0, fmt.Errorf("read the config: %w", err)
	}
	log, err := os.Open(b.logPath())
	if err != nil {
		return 0, 0, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	if _, err := log.Seek(0, io.SeekEnd); err != nil {
		return 0, 0, fmt.Errorf("find the end of the log: %w", err)
	}
	begun := time.Now()
	for i := range times {
		wait(ctx, time.Until(begun.Add(time.Duration(i)*lasts/time.Duration(times))))
		next := append(bytes.Clone(text), "models: {changed-"+strconv.Itoa(i)+": {lead: ticker/wait-1}}\n"...)
		said, count := `"config reloaded"`, &taken
		if i%wrongReloads == wrongReloads-1 {
			next, said, count = []byte("providers: {}}\n"), "yaml:1:14", &refused
		}
		if err := os.WriteFile(s.process.config, next, 0o600); err != nil {
			return taken, refused, fmt.Errorf("change the config: %w", err)
		}
		if err := s.process.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return taken, refused, fmt.Errorf("tell understudy of a config: %w", err)
		}
		if err := await(ctx, log, said); err != nil {
			return taken, refused, fmt.Errorf("config %d: %w", i, err)
		}
		*count++
	}
	return taken, refused, nil
}

// await reads on until something is said.
func await(ctx context.Context, log io.Reader, said string) error {
	var got []byte
	for deadline := time.Now().Add(answerTime); time.Now().Before(deadline) && ctx.Err() == nil; wait(ctx, time.Millisecond) {
		more, err := io.ReadAll(io.LimitReader(log, 64<<20))
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if got = append(got, more...); bytes.Contains(got, []byte(said)) {
			return nil
		}
	}
	return errors.New("got no line in the log that has " + said)
}
