package redis

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-ai/understudy/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a real one's URL, or the test is skipped.
func server(t *testing.T) string {
	t.Helper()
	address := os.Getenv("UNDERSTUDY_REDIS")
	if address == "" {
		t.Skip("skipped: no Redis server; its URL would be in UNDERSTUDY_REDIS, as `.ci/run store` sets it")
	}
	return address
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func opened(t *testing.T, address string) (*Rates, *lines) {
	t.Helper()
	log := &lines{}
	r, err := open(address, slog.New(slog.NewTextHandler(log, nil)), shortPlace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, log
}

// shortPlace is how long places outlast their gateway in these tests.
const shortPlace = time.Second

// drawn lets a busy machine take its time; the bound of a call is another test's.
func drawn(t *testing.T, r *Rates, d access.Draw) access.Level {
	t.Helper()
	level := r.Draw(t.Context(), d)
	for until := time.Now().Add(time.Minute); r.failed.Load() && time.Now().Before(until); {
		time.Sleep(probeEvery / 10)
	}
	return level
}

func unique(name string) string { return name + strconv.FormatInt(time.Now().UnixNano(), 36) }

// TestTogether has three gateways draw on one limit at once. On a busy machine Redis may take too long for one of them,
// which then counts for itself: that says nothing, and it is tried again.
func TestTogether(t *testing.T) {
	address := server(t)
	for range 5 {
		admitted, apart := together(t, address)
		if apart {
			continue
		}
		if admitted < 30 || admitted > 34 { // one more comes back every two seconds
			t.Errorf("got %d admitted, want 30", admitted)
		}
		return
	}
	t.Error("got Redis too slow five times, want it once in time")
}

// together is how many of many draws are admitted, and whether any was not counted in Redis.
func together(t *testing.T, address string) (admitted int64, apart bool) {
	t.Helper()
	name := unique("requests:")
	var n atomic.Int64
	var late atomic.Bool
	var all sync.WaitGroup
	for range 3 {
		r, _ := opened(t, address)
		drawn(t, r, access.Draw{Name: unique("warm:"), PerMinute: 1, N: 1})
		all.Go(func() {
			for range 100 {
				if r.Draw(t.Context(), access.Draw{Name: name, PerMinute: 30, N: 1}).OK {
					n.Add(1)
				}
				if r.failed.Load() {
					late.Store(true)
				}
			}
		})
	}
	all.Wait()
	return n.Load(), late.Load()
}

// TestFlushed goes on when Redis has forgotten everything, scripts included.
func TestFlushed(t *testing.T) {
	r, log := opened(t, server(t))
	d := access.Draw{Name: unique("requests:"), PerMinute: 1, N: 1}
	if !drawn(t, r, d).OK || drawn(t, r, d).OK {
		t.Fatal("got no limit of one, want it")
	}
	if _, err := r.ask("EVAL", "redis.call('SCRIPT', 'FLUSH') return 1", "0"); err != nil {
		if _, err := r.ask("SCRIPT", "FLUSH"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.ask("DEL", prefix+d.Name); err != nil {
		t.Fatal(err)
	}
	if !drawn(t, r, d).OK || drawn(t, r, d).OK {
		t.Errorf("after all was forgotten: got %s, want a limit of one again", log)
	}
	owed := d
	owed.N, owed.Owed = 2, true
	if level := drawn(t, r, owed); !level.OK || level.Full < 2*time.Minute {
		t.Errorf("got %+v, want what is owed taken", level)
	}
}

// gone is a server that takes connections and says nothing, or nothing for long.
func gone(t *testing.T, say func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() { say(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "redis://" + l.Addr().String()
}

// TestSlow waits once for a Redis that takes 30 seconds, and then counts here without waiting.
func TestSlow(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(net.Conn){
		"silent":  func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"another": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); _ = c.Close() },
		"wrong":   func(c net.Conn) { _, _ = io.WriteString(c, "*2\r\n:1\r\n*9999\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, log := opened(t, gone(t, say))
			d := access.Draw{Name: "a", PerMinute: 5, N: 1}
			begun := time.Now()
			first := r.Draw(t.Context(), d)
			if took := time.Since(begun); !first.OK || took > 20*patience {
				t.Errorf("got %+v after %v, want it admitted after %v", first, took, patience)
			}
			admitted := 1
			begun = time.Now()
			const more = 1000
			for range more {
				if r.Draw(t.Context(), d).OK {
					admitted++
				}
			}
			if took := time.Since(begun); took > more*time.Millisecond {
				t.Errorf("got %v for %d calls more, want them not to wait", took, more)
			}
			if admitted != 5 {
				t.Errorf("got %d admitted, want the limit to hold here", admitted)
			}
			if n := strings.Count(log.String(), "does not answer"); n != 1 {
				t.Errorf("got %d lines, want one: %s", n, log)
			}
		})
	}
}

// TestDead counts here while nothing listens, and with Redis again when it is back.
func TestDead(t *testing.T) {
	there := strings.TrimPrefix(server(t), "redis://")
	there, _, _ = strings.Cut(there, "/")
	var up atomic.Bool
	address := gone(t, func(c net.Conn) {
		if !up.Load() {
			_ = c.Close()
			return
		}
		far, err := net.Dial("tcp", there)
		if err != nil {
			_ = c.Close()
			return
		}
		go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
		_, _ = io.Copy(c, far)
		_ = c.Close()
	})
	r, log := opened(t, address)
	d := access.Draw{Name: unique("a:"), PerMinute: 1, N: 1}
	if !r.Draw(t.Context(), d).OK || !r.failed.Load() {
		t.Error("got it refused, or Redis taken for well; want it counted here")
	}
	up.Store(true)
	for until := time.Now().Add(time.Minute); r.failed.Load(); time.Sleep(probeEvery / 10) {
		if time.Now().After(until) {
			t.Fatalf("got %s, want Redis used again", log)
		}
	}
	if !r.Draw(t.Context(), d).OK {
		t.Error("got it refused, want what Redis knows")
	}
}

func TestAddress(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:6379", "http://127.0.0.1", "redis://"} {
		if _, err := Open(address, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q: got no error, want one", address)
		}
	}
	r, _ := opened(t, "rediss://ada:secret@cache.internal/3")
	if r.address != "cache.internal:6379" || r.user != "ada" || r.password != "secret" || r.database != "3" || r.tls == nil {
		t.Errorf("got %s, %s, %s and TLS %v, want those of the URL", r.address, r.user, r.database, r.tls != nil)
	}
}

// TestAnswer reads what Redis may answer, and nothing that goes deeper or is longer than was asked for.
func TestAnswer(t *testing.T) {
	for text, want := range map[string]string{
		"+OK\r\n":                         "[] <nil>",
		":7\r\n":                          "[7] <nil>",
		"$2\r\nhi\r\n":                    "[] <nil>",
		"*2\r\n:1\r\n:60\r\n":             "[1 60] <nil>",
		"-NOSCRIPT none\r\n":              "[] NOSCRIPT none",
		"*1\r\n*1\r\n:1\r\n":              "[] " + errProtocol.Error(),
		"*17\r\n":                         "[] " + errProtocol.Error(),
		"HTTP/1.1 400 Bad Request\r\n":    "[] " + errProtocol.Error(),
		":7\n":                            "[] " + errProtocol.Error(),
		strings.Repeat("*1\r\n", 100_000): "[] " + errProtocol.Error(),
	} {
		c := &conn{in: bufio.NewReaderSize(strings.NewReader(text), 512)}
		numbers, err := c.answer(false)
		if got := fmt.Sprintf("%v %v", numbers, err); got != want {
			t.Errorf("%.40q: got %s, want %s", text, got, want)
		}
	}
}

// TestCrowd has many more calls draw at once than connections are opened: all are counted in Redis.
func TestCrowd(t *testing.T) {
	address := server(t)
	again(t, func(key string) bool {
		r, _ := opened(t, address)
		var admitted atomic.Int64
		var all sync.WaitGroup
		for _, name := range []string{unique("warm:"), key} { // the connections are there the second time
			warm(t, r)
			admitted.Store(0)
			for range 4 * maxConnections {
				all.Go(func() {
					if r.Draw(t.Context(), access.Draw{Name: name, PerMinute: 30, N: 1}).OK {
						admitted.Add(1)
					}
				})
			}
			all.Wait()
		}
		if n := admitted.Load(); well(r) && (n < 30 || n > 34) { // one more comes back every two seconds
			t.Errorf("got %d admitted, want 30", n)
		}
		return well(r)
	})
}

// TestLeftAlone goes on with what a gateway has itself admitted when Redis is gone: no key has another minute's at each.
func TestLeftAlone(t *testing.T) {
	there := strings.TrimPrefix(server(t), "redis://")
	there, _, _ = strings.Cut(there, "/")
	again(t, func(key string) bool {
		var down atomic.Bool
		r, _ := opened(t, gone(t, func(c net.Conn) {
			defer c.Close()
			far, err := net.Dial("tcp", there)
			if err != nil || down.Load() {
				return
			}
			go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
			_, _ = io.Copy(c, far)
		}))
		warm(t, r)
		d := access.Draw{Name: key, PerMinute: 2, N: 1}
		first, second := r.Draw(t.Context(), d), r.Draw(t.Context(), d)
		if !first.OK || !second.OK || !well(r) {
			return false
		}
		down.Store(true)
		r.fail(errors.New("it is gone"))
		if r.Draw(t.Context(), d).OK {
			t.Error("got one more than the minute's, want what was admitted counted here, too")
		}
		return true
	})
}
