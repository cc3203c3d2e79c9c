package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// figure is one of those that only show under load, and what it should be.
type figure struct{ name, got, goal string }

// figures are measured one after the other, each at a gateway of its own.
func (b *bench) figures(ctx context.Context, out io.Writer) error {
	vendor, err := startRole(ctx, roleTicker, "")
	if err != nil {
		return err
	}
	defer vendor.stop()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "figure\tgot\tgoal\n")
	for _, f := range b.allFigures() {
		if !b.only.MatchString(f.name) {
			continue
		}
		b.note("%s", f.name)
		s, err := b.openStage(ctx, vendor.address, f.limits)
		if err != nil {
			return err
		}
		list, err := f.measure(ctx, s)
		s.process.stop()
		if err != nil {
			return b.explain(fmt.Errorf("%s: %w", f.name, err))
		}
		for _, g := range list {
			fmt.Fprintf(w, "%s: %s\t%s\t%s\n", f.name, g.name, g.got, g.goal)
		}
	}
	return w.Flush() //nolint:wrapcheck // standard output
}

// under is a load that figures are taken under, at a gateway of its own.
type under struct {
	name, limits string
	measure      func(context.Context, *stage) ([]figure, error)
}

func (b *bench) allFigures() []under {
	return []under{
		{"many open streams", "{}", b.openStreams},
		{"many events", "{}", b.manyEvents},
		{"slow readers", "{}", b.slowReaders},
		{"churn", "{}", b.churn},
		{"overload", fmt.Sprintf("{calls: %d}", overloadCalls), b.overload},
		{"little memory", "{memory: 512MiB}", b.littleMemory},
	}
}

// stage is a gateway in front of the ticker.
type stage struct {
	process *process
	base    int64 // memory before the load
	files   int   // likewise
}

func (b *bench) openStage(ctx context.Context, vendor, limits string) (*stage, error) {
	p, err := b.serve(ctx, fmt.Sprintf("limits: %s\nproviders:\n  ticker: {use: openai, base_url: http://%s/v1, key: none}\n", limits, vendor))
	if err != nil {
		return nil, err
	}
	s := &stage{process: p}
	for deadline := time.Now().Add(answerTime); ; time.Sleep(10 * time.Millisecond) {
		if status, _, err := s.ask(ctx, "wait-1"); err == nil && status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			s.process.stop()
			return nil, b.explain(errors.New("got no answer from understudy"))
		}
	}
	if s.base, err = memory(p.cmd.Process.Pid); err == nil {
		s.files, err = openFiles(p.cmd.Process.Pid)
	}
	return s, err
}

func openFiles(pid int) (int, error) {
	list, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return 0, fmt.Errorf("count the open files: %w", err)
	}
	return len(list), nil
}

// send opens a connection and asks for a model.
func (s *stage) send(ctx context.Context, model string, stream bool) (net.Conn, *http.Response, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", s.process.address)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it says what it is about
	}
	body := fmt.Sprintf(`{"model":"ticker/%s","stream":%v,"messages":[{"role":"user","content":"Go."}]}`, model, stream)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Minute))
	_, err = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: understudy\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("send: %w", err)
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<10), nil)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	return conn, answer, nil
}

// ask gets a whole answer.
func (s *stage) ask(ctx context.Context, model string) (status int, took time.Duration, err error) {
	begun := time.Now()
	conn, answer, err := s.send(ctx, model, false)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return answer.StatusCode, time.Since(begun), err //nolint:wrapcheck // of the copy
}

// late is how long events were on their way.
type late struct {
	mu  sync.Mutex
	all []time.Duration
	on  atomic.Bool // whether they are counted now
}

// follow reads a stream's events to its end, or until it is closed.
func (l *late) follow(body io.Reader) {
	r := bufio.NewReaderSize(body, 1<<10)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		_, at, ok := bytes.Cut(line, []byte(`"content":"`))
		digits, _, isTime := bytes.Cut(at, []byte(" "))
		if !ok || !isTime {
			continue
		}
		sent, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil {
			continue
		}
		if took := time.Duration(time.Now().UnixNano() - sent); l.on.Load() {
			l.mu.Lock()
			l.all = append(l.all, took)
			l.mu.Unlock()
		}
	}
}

func at(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(share*float64(len(all))), len(all)-1)]
}

// hold opens n streams, counts what they bring while they are all open, and closes them.
func (b *bench) hold(ctx context.Context, s *stage, n, every int) ([]figure, error) {
	period := time.Duration(every) * time.Millisecond
	lasts := (b.duration/5 + period - 1) / period * period // whole ones, so that all that is due can come
	count := int((lasts*2+time.Duration(n)*2*time.Millisecond)/period) + 10
	model := fmt.Sprintf("tick-%d-%d", every, count)
	l := &late{}
	var all sync.WaitGroup
	var lost, shed atomic.Int64
	room := make(chan struct{}, 64)
	var opening sync.WaitGroup
	var conns sync.Map
	for range n {
		room <- struct{}{}
		opening.Add(1)
		all.Go(func() {
			conn, answer, err := s.send(ctx, model, true)
			<-room
			opening.Done()
			switch {
			case err != nil:
				lost.Add(1)
				return
			case answer.StatusCode != http.StatusOK:
				shed.Add(1)
				conn.Close()
				return
			}
			conns.Store(conn, true)
			l.follow(answer.Body)
			answer.Body.Close()
		})
	}
	opening.Wait()
	pid := s.process.cmd.Process.Pid
	before, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	l.on.Store(true)
	select {
	case <-time.After(lasts):
	case <-ctx.Done():
	}
	l.on.Store(false)
	took := time.Since(begun)
	after, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	used, err := memory(pid)
	if err != nil {
		return nil, err
	}
	conns.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true }) //nolint:forcetypeassert // it holds nothing else
	all.Wait()
	open := n - int(lost.Load()+shed.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	rate := float64(len(l.all)) / took.Seconds()
	return []figure{
		{"streams open, shed, failed", fmt.Sprintf("%d, %d, %d", open, shed.Load(), lost.Load()), strconv.Itoa(n) + " or fewer where memory is bounded, 0 failed"},
		{"events a second", fmt.Sprintf("%.0f of %.0f", rate, float64(open)*1000/float64(every)), "all"},
		{"event on its way, p50 / p99", fmt.Sprintf("%v / %v", at(l.all, 0.5).Round(10*time.Microsecond), at(l.all, 0.99).Round(10*time.Microsecond)), "p99 ≤ 10 ms added at 5,000/s, ≤ 5 ms at 20,000/s"},
		{"cores", fmt.Sprintf("%.2f", (after-before).Seconds()/took.Seconds()), "≤ 1 at 20,000/s"},
		{"memory, KiB a stream", fmt.Sprintf("%.1f (%d MiB in all)", float64(used-s.base)/1024/float64(max(open, 1)), used>>20), "≤ 80"},
	}, ctx.Err()
}

// openStreams is L1: streams that say something twice a second.
func (b *bench) openStreams(ctx context.Context, s *stage) ([]figure, error) {
	return b.hold(ctx, s, b.streams, 2000)
}

// manyEvents is L2: a fifth of the streams, at ten events a second.
func (b *bench) manyEvents(ctx context.Context, s *stage) ([]figure, error) {
	return b.hold(ctx, s, max(b.streams/5, 1), 100)
}

// littleMemory is L11: a gateway that may take 512 MiB.
func (b *bench) littleMemory(ctx context.Context, s *stage) ([]figure, error) {
	return b.hold(ctx, s, b.streams, 2000)
}

// churn is L6: streams that come and go.
func (b *bench) churn(ctx context.Context, s *stage) ([]figure, error) {
	const rate, longest, step = 500, 2 * time.Second, 617 * time.Millisecond // which spreads the ends evenly
	var all sync.WaitGroup
	var opened, failed atomic.Int64
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for i, begun := 0, time.Now(); time.Since(begun) < b.duration/5 && ctx.Err() == nil; i++ {
		<-tick.C
		all.Go(func() {
			conn, answer, err := s.send(ctx, "tick-100-100", true)
			if err != nil || answer.StatusCode != http.StatusOK {
				failed.Add(1)
				return
			}
			opened.Add(1)
			cut := time.AfterFunc(time.Duration(i)*step%longest, func() { _ = conn.Close() })
			defer cut.Stop()
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		})
	}
	all.Wait()
	over := time.Now()
	const base, patience = 5, 10 * time.Second
	files := 0
	for {
		var err error
		if files, err = openFiles(s.process.cmd.Process.Pid); err != nil {
			return nil, err
		}
		if files <= s.files+base || time.Since(over) > 3*patience {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return []figure{
		{"streams opened, failed", fmt.Sprintf("%d, %d", opened.Load(), failed.Load()), "0 failed"},
		{"files back from the load", fmt.Sprintf("%d of %d before, after %v", files, s.files, time.Since(over).Round(100*time.Millisecond)), "±5 in 10s"},
	}, ctx.Err()
}
