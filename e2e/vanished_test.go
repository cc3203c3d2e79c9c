//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestNetworkVanishedClients is G5 through the binary, for clients of three APIs that vanish without a word while their answer is
// quiet: a whole one, a stream that has nothing but signs of life, and one that has begun. The gateway's system finds
// out when nothing was acknowledged for 20 s, or for as long as a client may refuse to read if that is longer; then the
// vendors are left, and are not to blame.
func TestNetworkVanishedClients(t *testing.T) {
	if os.Getenv(networkVariable) == "" {
		t.Skip("skipped: it waits for half a minute, as `.ci/run network` does")
	}
	t.Parallel()
	var models strings.Builder
	kinds := []struct {
		name, lead string
		stream     bool
	}{{"whole", "first-5m", false}, {"unheard", "first-5m", true}, {"begun", "fault-stall", true}}
	for _, c := range faultClients {
		for _, k := range kinds {
			fmt.Fprintf(&models, "  %s-%s: {lead: %s/%s-%s+%s, understudies: [%s/small], timeouts: {first_token: 5m, answer: 5m, stall: 5m, total: 10m}}\n",
				c.name, k.name, c.lead, c.name, k.name, k.lead, c.understudy)
		}
	}
	h := openHouse(t, "limits: {heartbeat: 1s, write_timeout: 1s}\nmodels:\n"+models.String())
	var all sync.WaitGroup
	for _, c := range faultClients {
		vendor := h.chat
		if c.lead == "claude" {
			vendor = h.claude
		}
		for _, k := range kinds {
			all.Go(func() {
				asked := func() (seen fakeprovider.Seen, ok bool) {
					for _, e := range vendor.Requests() {
						if strings.HasPrefix(e.Model, c.name+"-"+k.name) {
							return e, true
						}
					}
					return seen, false
				}
				conn := h.quiet(c, c.ask(c.name+"-"+k.name, k.stream), k.name == "begun")
				defer conn.Close()
				for begun := time.Now(); time.Since(begun) < patience; time.Sleep(2 * time.Millisecond) {
					if _, ok := asked(); ok {
						break
					}
				}
				vanish(t, conn)
				vanished := time.Now()
				for time.Since(vanished) < patience {
					if e, _ := asked(); !e.Cancelled.IsZero() {
						if took := e.Cancelled.Sub(vanished); took > 30*time.Second {
							t.Errorf("%s, %s: the vendor was left after %v, want within 30 s", c.name, k.name, took)
						}
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
				t.Errorf("%s, %s: the vendor is not left after %v", c.name, k.name, patience)
			})
		}
	}
	all.Wait()
	h.wantUp("chat", "claude")
	h.stop()
	if h.seen() != len(faultClients)*len(kinds) {
		t.Errorf("got %d requests at the vendors, want one for each call", h.seen())
	}
	for _, line := range []string{"9 entries of 9 calls: 3 estimated, 6 uncertain", "all invariants hold"} {
		if out := h.command("ledger", "verify"); !strings.Contains(out, line) {
			t.Errorf("got\n%s\nwant %q in it", out, line)
		}
	}
}

// TestNetworkSteadyReaders has clients that read a kibibyte a second for longer than any may refuse to read. They make room again and again,
// though never for all that waits, and are not taken for vanished ones.
func TestNetworkSteadyReaders(t *testing.T) {
	if os.Getenv(networkVariable) == "" {
		t.Skip("skipped: it reads for half a minute, as `.ci/run network` does")
	}
	t.Parallel()
	const lasts = 35 * time.Second
	var asked atomic.Int64
	h := openHouse(t, talker(t, &asked)+"limits: {write_timeout: 20s}\nmodels: {flood: {lead: flood/small}}\n")
	// A connection over loopback holds as much as is read in a minute or two otherwise, and nothing comes meanwhile.
	small := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
	}}
	var all sync.WaitGroup
	for _, c := range faultClients {
		conn, err := small.DialContext(t.Context(), "tcp", h.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, request(c.path, "", c.ask("flood", true)))
		all.Go(func() {
			piece := make([]byte, 1<<10)
			for begun := time.Now(); time.Since(begun) < lasts; time.Sleep(time.Second) {
				if _, err := io.ReadFull(conn, piece); err != nil {
					t.Errorf("%s: got %v after %v, want more of the answer", c.name, err, time.Since(begun))
					return
				}
			}
		})
	}
	all.Wait()
	if got := int(h.metric("understudy_calls_running")); got != len(faultClients) {
		t.Errorf("got %d calls that run, want all: what clients still read was sent before", got)
	}
	h.wantUp("flood")
}

// quiet sends a request on a connection of its own, and returns it when some of the answer's text has come, if that is
// waited for.
func (h *house) quiet(c faultClient, body string, begun bool) *net.TCPConn {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", c.path, len(body), body)
	for lines := bufio.NewScanner(conn); begun && !strings.Contains(lines.Text(), "said"); {
		if !lines.Scan() {
			h.t.Errorf("%s: got the end of the stream, want some of its text", c.name)
			break
		}
	}
	return conn.(*net.TCPConn)
}

// vanish has the system throw away all that comes for a connection, unanswered, as if its side of the network were gone.
func vanish(t *testing.T, conn *net.TCPConn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Error(err)
		return
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	err = raw.Control(func(fd uintptr) {
		if err := unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
