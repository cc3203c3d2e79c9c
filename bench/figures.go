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
	"path/filepath"
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
	if err := b.startTickers(ctx); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "figure\tgot\tgoal\n")
	for _, f := range b.allFigures() {
		if !b.only.MatchString(f.name) {
			continue
		}
		b.note("%s", f.name)
		s, err := b.openStage(ctx, f)
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

func (b *bench) startTickers(ctx context.Context) (err error) {
	if b.vendor, err = startRole(ctx, roleTicker, ""); err != nil {
		return err
	}
	b.secureVendor, err = startRole(ctx, roleSecureTicker, b.certificate())
	return err
}

func (b *bench) certificate() string { return filepath.Join(b.dir, "vendor.pem") }

// under is a load that figures are taken under, at a gateway of its own.
type under struct {
	name, limits string
	way          way
	measure      func(context.Context, *stage) ([]figure, error)
}

// way is how a load comes to the vendor.
type way string

const (
	overHTTP1 way = "HTTP/1.1"     // between the gateway and the vendor
	overHTTP2 way = "HTTP/2"       // likewise
	direct    way = "vendor alone" // without a gateway
)

func (b *bench) allFigures() []under {
	return []under{
		{"many open streams, HTTP/2", "{}", overHTTP2, b.openStreams},
		{"many open streams, HTTP/1.1", "{}", overHTTP1, b.openStreams},
		{"many events, HTTP/2", "{}", overHTTP2, b.manyEvents},
		{"many events, HTTP/1.1", "{}", overHTTP1, b.manyEvents},
		{"slow readers, HTTP/2", "{}", overHTTP2, b.slowReaders},
		{"slow readers, HTTP/1.1", "{}", overHTTP1, b.slowReaders},
		{"slow readers, vendor alone", "", direct, b.slowReaders},
		{"churn", "{}", overHTTP1, b.churn},
		{"overload", fmt.Sprintf("{calls: %d}", overloadCalls), overHTTP1, b.overload},
		{"reloads", "{}", overHTTP1, b.reloads},
		{"little memory", "{memory: 512MiB}", overHTTP2, b.littleMemory},
	}
}

// stage is a gateway in front of the ticker.
type stage struct {
	process *process
	way     way
	base    int64 // memory before the load
	files   int   // likewise
}

func (b *bench) openStage(ctx context.Context, u under) (*stage, error) {
	p, err := b.startFor(ctx, u)
	if err != nil {
		return nil, err
	}
	s := &stage{process: p, way: u.way}
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

func (b *bench) startFor(ctx context.Context, u under) (*process, error) {
	vendor := "http://" + b.vendor.address
	switch u.way {
	case direct:
		return startRole(ctx, roleTicker, "")
	case overHTTP2:
		vendor = "https://" + b.secureVendor.address
	case overHTTP1:
	}
	config := fmt.Sprintf("limits: %s\nproviders:\n  ticker: {use: openai, base_url: %s/v1, key: none}\n", u.limits, vendor)
	return b.serve(ctx, config, "SSL_CERT_FILE="+b.certificate())
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
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if model == floodModel {
		dialer.Control = littleRoom
	}
	conn, err := dialer.DialContext(ctx, "tcp", s.process.address)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it says what it is about
	}
	if s.way != direct {
		model = "ticker/" + model
	}
	body := fmt.Sprintf(`{"model":"%s","stream":%v,"messages":[{"role":"user","content":"Go."}]}`, model, stream)
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

// late is how long events were on their way, and how many never came.
type late struct {
	mu   sync.Mutex
	all  []time.Duration
	on   atomic.Bool // whether they are counted now
	lost atomic.Int64
}

// follow reads a stream's events to its end, or until it is closed, and returns how many there were.
func (l *late) follow(body io.Reader) (next int64) {
	r := bufio.NewReaderSize(body, 1<<10)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return next
		}
		_, text, _ := bytes.Cut(line, []byte(`"content":"`))
		text, _, _ = bytes.Cut(text, []byte(`"`))
		first, second, isTime := bytes.Cut(text, []byte(" "))
		if !isTime {
			continue
		}
		sent, err := strconv.ParseInt(string(first), 10, 64)
		number, wrong := strconv.ParseInt(string(second), 10, 64)
		if err != nil || wrong != nil || number != next {
			l.lost.Add(1)
		}
		next = number + 1
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

// otherFiles are those that a gateway has open beside the two connections of a stream.
const otherFiles = 200

// hold opens n streams, counts what they bring while they are all open, and closes them.
func (b *bench) hold(ctx context.Context, s *stage, n, every int) ([]figure, error) {
	want := fmt.Sprintf("%d or fewer where memory is bounded, 0 failed", n)
	if files := filesAllowed(); s.way == overHTTP1 && n > (files-otherFiles)/2 {
		want = fmt.Sprintf("%d, but no more than %d files allow, 0 failed", n, files)
		n = (files - otherFiles) / 2
	}
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
	goal := 80 // KiB
	if s.way == overHTTP2 {
		goal = 64
	}
	return []figure{
		{"streams open, shed, failed", fmt.Sprintf("%d, %d, %d", open, shed.Load(), lost.Load()), want},
		{"events a second, lost", fmt.Sprintf("%.0f of %.0f, %d", rate, float64(open)*1000/float64(every), l.lost.Load()), "all, 0"},
		{"event on its way, p50 / p99", fmt.Sprintf("%v / %v", at(l.all, 0.5).Round(10*time.Microsecond), at(l.all, 0.99).Round(10*time.Microsecond)), "p99 ≤ 10 ms added at 5,000/s, ≤ 5 ms at 20,000/s"},
		{"cores", fmt.Sprintf("%.2f", (after-before).Seconds()/took.Seconds()), "≤ 1 at 20,000/s"},
		{"memory, KiB a stream", fmt.Sprintf("%.1f (%d MiB in all)", float64(used-s.base)/1024/float64(max(open, 1)), used>>20), fmt.Sprintf("≤ %d", goal)},
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
