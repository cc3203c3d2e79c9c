//go:build unix

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestRollingUpgrade replaces the running program by another again and again, on a socket that both are handed, while
// clients call by HTTP/1.1 and HTTP/2 on connections that they keep: no call fails, and no stream is cut (L9).
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	rounds := 2
	if os.Getenv("UNDERSTUDY_SCENARIOS") != "" {
		rounds = 10
	}
	address, socket := listening(t)
	h := &house{t: t, chat: startVendor(t), claude: startVendor(t), files: []*os.File{socket}}
	next := func(n int) {
		h.config = filepath.Join(t.TempDir(), "understudy.yaml")
		text := fmt.Sprintf("listen: %s\nadmin: 127.0.0.1:0\ndata: ./books-%d\ndrain: 20s\nproviders:\n  chat: {use: openai, base_url: \"%s/v1\", key: env:TEST_KEY}\n", address, n, h.chat.RootURL())
		if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h.launch("sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh")
		h.wantServing()
		if h.address != address {
			t.Fatalf("got it serving %s, want the socket's %s", h.address, address)
		}
	}
	next(0)
	var calls, streams, whole atomic.Int64
	var running sync.WaitGroup
	over := make(chan struct{})
	for i := range 12 {
		running.Go(func() {
			client := keptClient(i%3 == 2)
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				case <-time.After(time.Duration(5+i) * time.Millisecond):
				}
				stream := (n+i)%4 == 0
				model := "chat/small"
				if stream {
					model += "+chunks-20+delay-25ms"
					streams.Add(1)
				}
				calls.Add(1)
				if err := callOnce(t, client, "http://"+address+chatPath, ask(model, stream), stream); err != nil {
					t.Errorf("client %d, call %d, stream %v: got %v, want it answered", i, n, stream, err)
				} else {
					whole.Add(1)
				}
			}
		})
	}
	for n := range rounds {
		time.Sleep(300 * time.Millisecond)
		old, exited := h.process, h.exited
		next(n + 1)
		if err := old.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-exited:
			if err != nil {
				t.Errorf("round %d: got %v, want exit code 0", n, err)
			}
		case <-time.After(patience):
			t.Fatalf("round %d: got the old program running after %v, want it ended", n, patience)
		}
	}
	time.Sleep(300 * time.Millisecond)
	close(over)
	running.Wait()
	t.Logf("%d upgrades: %d calls, %d of them streams, %d whole", rounds, calls.Load(), streams.Load(), whole.Load())
	if streams.Load() == 0 || whole.Load() != calls.Load() {
		t.Errorf("got %d whole answers of %d calls, want all", whole.Load(), calls.Load())
	}
}

// listening is a socket to hand over.
func listening(t *testing.T) (address string, socket *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// As os/exec is given it, it would be made one that blocks with every program that is started, for all that have it.
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	socket = os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { _ = socket.Close() })
	return l.Addr().String(), socket
}

// keptClient keeps one connection, or as few as can be, and sends nothing twice. One that lay idle beside others might be
// closed just as it is used, which no server can help.
func keptClient(isHTTP2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!isHTTP2)
	protocols.SetUnencryptedHTTP2(isHTTP2)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, MaxConnsPerHost: 1}, Timeout: patience}
}

// callOnce calls, and reads the answer to its end. The body can be read only once, so that the client cannot send it again.
func callOnce(t *testing.T, client *http.Client, url, body string, stream bool) error {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %.200s", resp.StatusCode, text)
	case stream && (!strings.HasSuffix(string(text), "data: [DONE]\n\n") || strings.Contains(string(text), `"error"`)):
		return errors.New("a stream that was cut: " + string(text[max(0, len(text)-200):]))
	}
	return nil
}

// TestHandedSocketNobodyWants: a socket for an address that the config does not have is a mistake of whoever handed it over.
func TestHandedSocketNobodyWants(t *testing.T) {
	t.Parallel()
	address, socket := listening(t)
	h := &house{t: t, files: []*os.File{socket}, config: filepath.Join(t.TempDir(), "understudy.yaml")}
	text := "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndata: none\nproviders: {v: {use: openai, base_url: \"http://127.0.0.1:1/v1\", key: none}}\n"
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.launch("sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh")
	h.wantStopped(patience)
	if said := h.log.all(); !strings.Contains(said, "got a socket for "+address) {
		t.Errorf("got %q, want it to say which socket it has no use for", said)
	}
}
