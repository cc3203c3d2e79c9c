package app

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

const canary = "sk-canary4f9a1c77e2"

func env(name string) (string, bool) {
	switch name {
	case "TEST_KEY":
		return canary, true
	case "EMPTY_KEY":
		return " \n", true
	case "KEY_3", "KEY_4":
		return "sk-canary-of-nobody-" + name, true
	case "WEB_KEY":
		return webKey, true
	case "ADA_TOKEN":
		return "us-admin-canary-0123456789abcdef0123456789abcdef", true
	case "ACCESS_SECRET":
		return "canary-secret-0123456789abcdef0123456789abcdef", true
	case "TWO_LINES":
		return canary + "\n" + canary, true
	}
	return "", false
}

// parse reads a config in a folder of its own; $NAME stands for the URL of a vendor. Nothing is
// kept unless it says where.
func parse(t *testing.T, text string, vendors map[string]*fakeprovider.Server) *config.Config {
	t.Helper()
	text = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n" + os.Expand(text, func(name string) string { return vendors[name].RootURL() })
	if !strings.Contains(text, "data:") {
		text += "\ndata: none\n"
	}
	file := filepath.Join(t.TempDir(), "understudy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newVendor(t *testing.T) *fakeprovider.Server {
	t.Helper()
	v := fakeprovider.New(fakeprovider.Options{Key: canary})
	if _, err := v.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func start(t *testing.T, c *config.Config, log io.Writer) *App {
	t.Helper()
	a, err := New(Options{Config: c, Log: slog.New(slog.NewJSONHandler(log, nil)), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return a
}

// newClient makes a client that leaves no connections behind. Where a test stops the gateway itself, the client closes
// those that are idle before: the gateway waits for them.
func newClient(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// patience is how long anything may take that only a failure keeps from coming: what a test waits for is there at once,
// and a busy machine may stop for seconds.
const patience = time.Minute

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("got no end of waiting, want %s", what)
		}
	}
}

// best measures what must take no longer than most, a few times if it does: other work of the machine makes some
// measurements long, and not all of them.
func best(most time.Duration, measure func() time.Duration) time.Duration {
	took := measure()
	for again := 0; again < 4 && took > most; again++ {
		took = min(took, measure())
	}
	return took
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// raw sends text on a connection of its own and returns the status line.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, text) }() // the server need not read it all
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}
