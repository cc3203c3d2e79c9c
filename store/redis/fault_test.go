package redis

import (
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
)

// daemon is a Redis server of the test's own.
type daemon struct {
	t       *testing.T
	port    string
	process *exec.Cmd
}

func startDaemon(t *testing.T, args ...string) *daemon {
	t.Helper()
	server(t) // or the test is skipped
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port)} //nolint:forcetypeassert // it is
	_ = l.Close()
	d.start(args...)
	t.Cleanup(d.kill)
	return d
}

func (d *daemon) start(args ...string) {
	d.t.Helper()
	d.process = exec.Command("redis-server", append([]string{"--port", d.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}, args...)...)
	d.process.Dir = d.t.TempDir()
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.ask("PING")
}

// kill ends the server as a crash does.
func (d *daemon) kill() {
	_ = d.process.Process.Kill()
	_ = d.process.Wait() // with the signal
}

// ask says something to the server itself, as soon as it is up.
func (d *daemon) ask(words ...string) []int64 {
	d.t.Helper()
	var last error
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		var nc net.Conn
		if nc, last = net.Dial("tcp", "127.0.0.1:"+d.port); last != nil {
			continue
		}
		var got []int64
		got, last = newConn(nc).do(time.Now().Add(5*time.Second), words...)
		_ = nc.Close()
		if last == nil {
			return got
		}
	}
	d.t.Fatalf("%s: got %v, want an answer", strings.Join(words, " "), last)
	return nil
}

// street leads to one server or another, by one address.
type street struct {
	address string
	to      atomic.Pointer[string] // a port
}

func newStreet(t *testing.T, d *daemon) *street {
	s := &street{}
	s.to.Store(&d.port)
	s.address = gone(t, func(near net.Conn) {
		defer near.Close()
		far, err := net.Dial("tcp", "127.0.0.1:"+*s.to.Load())
		if err != nil {
			return
		}
		defer far.Close()
		go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
		_, _ = io.Copy(near, far)
	})
	return s
}

// TestFaultsK8 has Redis forget everything, start empty, and fail over to a replica that is behind, while two gateways count
// together. What it has forgotten is had once more, by the minute at most; what runs is counted again within a moment, and
// nothing is held for ever.
func TestFaultsK8(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(d *daemon, s *street, meanwhile func()){
		"flushed":       func(d *daemon, _ *street, meanwhile func()) { meanwhile(); d.ask("FLUSHALL") },
		"started empty": func(d *daemon, _ *street, meanwhile func()) { meanwhile(); d.kill(); d.start() },
		"a replica behind": func(d *daemon, s *street, meanwhile func()) {
			replica := startDaemon(d.t, "--replicaof", "127.0.0.1", d.port)
			for until := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				d.ask("SET", "there", "1")
				if n := d.ask("WAIT", "1", "100"); len(n) == 1 && n[0] == 1 {
					break
				}
				if time.Now().After(until) {
					d.t.Fatal("got no replica, want one that follows")
				}
			}
			replica.ask("REPLICAOF", "NO", "ONE") // and so it hears no more
			meanwhile()
			s.to.Store(&replica.port)
			d.kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t)
			s := newStreet(t, d)
			one, _ := opened(t, s.address)
			two, _ := opened(t, s.address)
			nodes := [2]*Rates{one, two}
			const most, perMinute = 4, 30
			drawnOf := func(n int) (got int) {
				for i := range n {
					if nodes[i%2].Draw(t.Context(), access.Draw{Name: "requests:web", PerMinute: perMinute, N: 1}).OK {
						got++
					}
				}
				return got
			}
			entered := func() (places [2][]access.Place, n int) {
				for i := range 4 * most {
					if p, ok := nodes[i%2].Enter("web", most); ok {
						places[i%2] = append(places[i%2], p)
						n++
					}
				}
				return places, n
			}
			leave := func(places [2][]access.Place) {
				for i, list := range places {
					for _, p := range list {
						nodes[i].Leave(p)
					}
				}
			}
			had := drawnOf(10)
			before, _ := entered()
			fault(d, s, func() {
				leave(before) // which a replica does not hear of, nor who comes now
				before, _ = entered()
				had += drawnOf(2 * perMinute)
			})
			for until := time.Now().Add(10 * time.Second); !well(one, two) && time.Now().Before(until); {
				time.Sleep(probeEvery / 10)
			}
			had += drawnOf(2 * perMinute)
			// Each gateway may have counted for itself for a while: then that is a minute's, too.
			if had < perMinute || had > 4*perMinute {
				t.Errorf("got %d requests of %d a minute, want what was forgotten had once more", had, perMinute)
			}
			time.Sleep(shortPlace / 2) // they are told what runs
			during, n := entered()
			if well(one, two) && n > 0 {
				t.Errorf("got %d more inside while as many run as may, want none", n)
			}
			leave(during)
			leave(before)
			var after int
			for until := time.Now().Add(10 * shortPlace); after != most && time.Now().Before(until); time.Sleep(shortPlace / 10) {
				var places [2][]access.Place
				places, after = entered()
				leave(places)
			}
			if after != most {
				t.Errorf("got %d inside when all had left, want %d", after, most)
			}
		})
	}
}
