package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	slowRate = 1 << 10 // bytes a second that a slow client reads
	fastPace = 100     // milliseconds between the events of a stream that is read at once
)

// slowReaders is L5: streams that are read at once, alone, and beside as many that are read at a kibibyte a second, for
// which their vendors, who say as much as they can, have to wait. Both take turns, since the machine changes more from one
// minute to the next than slow readers cost.
func (b *bench) slowReaders(ctx context.Context, s *stage) ([]figure, error) {
	f := &beside{stage: s, n: max(b.streams/10, 1), each: b.duration / time.Duration(10*b.turns), turns: b.turns}
	var all sync.WaitGroup
	defer all.Wait()
	for range f.n {
		conn, answer, err := s.send(ctx, fmt.Sprintf("tick-%d-%d", fastPace, 100_000), true)
		if err == nil {
			defer conn.Close()
		}
		if err != nil || answer.StatusCode != http.StatusOK {
			f.failed++
			continue
		}
		all.Go(func() {
			defer answer.Body.Close()
			f.late.follow(answer.Body)
		})
	}
	for i := range f.turns {
		if err := f.pair(ctx, i == f.turns-1); err != nil {
			return nil, err
		}
	}
	goal, flat := "0.90–1.10", "flat"
	if s.way == direct {
		goal, flat = "", ""
	}
	return []figure{
		{"streams read at once and slowly, failed, cut", fmt.Sprintf("%d and %d, %d, %d", f.n, f.n, f.failed, f.cut), "0, 0"},
		{"events lost", fmt.Sprint(f.late.lost.Load()), "0"},
		{"bytes a second that slow readers got", fmt.Sprintf("%.0f of %d", spreadOf(f.rates).Median, slowRate), "all"},
		{"event on its way, p50 / p99, alone", f.alone.times(), ""},
		{"event on its way, p50 / p99, beside slow readers", f.beside.times(), ""},
		{fmt.Sprintf("p99 beside to alone, median of %d (least–most)", f.turns), f.ratio(), goal},
		{"cores, alone and beside", fmt.Sprintf("%.2f and %.2f", spreadOf(f.alone.cores).Median, spreadOf(f.beside.cores).Median), ""},
		{"memory beside them at the beginning and the end", fmt.Sprintf("%d and %d MiB", f.first>>20, f.last>>20), flat},
	}, ctx.Err()
}

// beside times events alone and beside slow readers.
type beside struct {
	stage         *stage
	n             int // streams of each kind
	turns         int // alone and beside
	each          time.Duration
	late          late
	failed, cut   int
	rates         []float64 // of slow readers, in bytes a second
	alone, beside timed
	first, last   int64 // memory
}

// timed is what was measured, turn by turn.
type timed struct{ p50, p99, cores []float64 }

func (t *timed) times() string {
	median := func(all []float64) time.Duration {
		return time.Duration(spreadOf(all).Median).Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%v / %v", median(t.p50), median(t.p99))
}

func (f *beside) ratio() string {
	var all []float64
	for i, p99 := range f.beside.p99 {
		all = append(all, p99/f.alone.p99[i])
	}
	s := spreadOf(all)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max)
}

// turn measures once.
func (f *beside) turn(ctx context.Context, t *timed) error {
	pid, l := f.stage.process.cmd.Process.Pid, &f.late
	before, err := cpuTime(pid)
	if err != nil {
		return err
	}
	begun := time.Now()
	l.on.Store(true)
	wait(ctx, f.each)
	l.on.Store(false)
	took := time.Since(begun)
	after, err := cpuTime(pid)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.p50, t.p99 = append(t.p50, float64(at(l.all, 0.5))), append(t.p99, float64(at(l.all, 0.99)))
	t.cores = append(t.cores, (after-before).Seconds()/took.Seconds())
	l.all = l.all[:0]
	return nil
}

// pair measures alone and beside slow readers, the memory as well if they are the last.
func (f *beside) pair(ctx context.Context, last bool) error {
	if err := f.turn(ctx, &f.alone); err != nil {
		return err
	}
	pid := f.stage.process.cmd.Process.Pid
	files, err := openFiles(pid)
	if err != nil {
		return err
	}
	t := startTrickle()
	for range f.n {
		conn, answer, err := f.stage.send(ctx, floodModel, true) //nolint:bodyclose // trickle reads the connection
		if err != nil || answer.StatusCode != http.StatusOK || t.add(conn) != nil {
			f.failed++
			if err == nil {
				conn.Close()
			}
		}
	}
	wait(ctx, f.each/2) // until what is between vendor and client is full
	had, begun := t.got.Load(), time.Now()
	err = f.turn(ctx, &f.beside)
	if err == nil && last {
		err = f.stay(ctx, pid)
	}
	f.rates = append(f.rates, float64(t.got.Load()-had)/time.Since(begun).Seconds()/float64(f.n))
	f.cut += t.stop()
	for patience := time.Now().Add(answerTime); err == nil && ctx.Err() == nil && time.Now().Before(patience); wait(ctx, settleTime) {
		var now int
		if now, err = openFiles(pid); now <= files+f.n/streamsEach {
			break // connections in HTTP/2, with whose streams it is over, stay
		}
	}
	wait(ctx, f.each/2) // until the end of so many at once is over
	return err
}

// stay looks at the memory before and after as much time as all turns alone have had.
func (f *beside) stay(ctx context.Context, pid int) (err error) {
	if f.first, err = memory(pid); err != nil {
		return err
	}
	wait(ctx, time.Duration(f.turns)*f.each)
	f.last, err = memory(pid)
	return err
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// trickle reads connections slowly, all in one goroutine that wakes a hundred times a second: readers that cost much would
// be what is measured.
type trickle struct {
	over, done chan struct{}
	got        atomic.Int64 // bytes

	mu    sync.Mutex
	conns []*slowConn
}

type slowConn struct {
	net.Conn
	raw syscall.RawConn
	cut bool
}

func startTrickle() *trickle {
	t := &trickle{over: make(chan struct{}), done: make(chan struct{})}
	go t.read()
	return t
}

func (t *trickle) add(conn net.Conn) error {
	raw, err := conn.(*net.TCPConn).SyscallConn() //nolint:forcetypeassert // it was dialled so
	if err != nil {
		return fmt.Errorf("read slowly: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns = append(t.conns, &slowConn{Conn: conn, raw: raw})
	return nil
}

// read reads each connection once a second, one after the other.
func (t *trickle) read() {
	defer close(t.done)
	const steps = 100
	tick := time.NewTicker(time.Second / steps)
	defer tick.Stop()
	var room [slowRate]byte
	for step, begun, over := 0, time.Now(), false; !over; {
		select {
		case <-tick.C:
		case <-t.over:
			over = true // when what is due until now is read
		}
		t.mu.Lock()
		conns := t.conns
		t.mu.Unlock()
		for ; step < int(time.Since(begun)*steps/time.Second); step++ {
			for i := step % steps; i < len(conns); i += steps {
				n, err := readNow(conns[i].raw, room[:])
				t.got.Add(int64(max(n, 0)))
				conns[i].cut = n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN)
			}
		}
	}
}

// stop closes the connections, and says how many had been already.
func (t *trickle) stop() (cut int) {
	close(t.over)
	<-t.done
	for _, c := range t.conns {
		c.Close()
		if c.cut {
			cut++
		}
	}
	return cut
}
