//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// networkVariable has the path of the fault-injecting proxy (github.com/Shopify/toxiproxy), and asks for the
// tests that need it and a network namespace: .ci/run network.
const networkVariable = "UNDERSTUDY_TOXIPROXY"

func needNetwork(t *testing.T) (proxy string) {
	t.Helper()
	if proxy = os.Getenv(networkVariable); proxy == "" {
		t.Skipf("%s is not set: .ci/run network", networkVariable)
	}
	return proxy
}

// toxics is a proxy between the gateway and a vendor, which does to connections what it is told.
type toxics struct {
	t       *testing.T
	api     string
	address string // of the vendor, through the proxy
}

const toxicName = "vendor"

func newToxics(t *testing.T, binary, upstream string) *toxics {
	t.Helper()
	x := &toxics{t: t}
	for range 5 { // somebody else may take a port that was free
		if x.api = openToxics(t, binary); x.api != "" {
			break
		}
	}
	if x.api == "" {
		t.Fatal("got no proxy, want one that listens")
	}
	var made struct{ Listen string }
	x.ask(http.MethodPost, "/proxies", map[string]any{"name": toxicName, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true}, &made)
	x.address = made.Listen
	return x
}

// openToxics starts the proxy and returns its API's address; none if it could not listen there.
func openToxics(t *testing.T, binary string) string {
	t.Helper()
	address := freeAddress(t)
	cmd := exec.Command(binary, "-host", "127.0.0.1", "-port", address[strings.LastIndexByte(address, ':')+1:])
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			return ""
		default:
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
	}
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (x *toxics) ask(method, path string, body, answer any) {
	x.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(x.t.Context(), method, x.api+path, bytes.NewReader(raw))
	if err != nil {
		x.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode > 299 {
		x.t.Fatalf("%s %s: got %d %s", method, path, resp.StatusCode, text)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			x.t.Fatal(err)
		}
	}
}

// with poisons what comes from the vendor while f runs.
func (x *toxics) with(kind string, attributes map[string]any, f func()) {
	x.t.Helper()
	x.ask(http.MethodPost, "/proxies/"+toxicName+"/toxics", map[string]any{"type": kind, "stream": "downstream", "attributes": attributes}, nil)
	f()
	x.ask(http.MethodDelete, "/proxies/"+toxicName+"/toxics/"+kind+"_downstream", nil, nil)
}

// networkTimes let a silent network be found out soon.
const networkTimes = "timeouts: {connect: 3s, first_token: 4s, answer: 4s, stall: 4s, total: 1m}"

// TestNetworkFaults puts a proxy between the gateway and the lead that does what networks do.
func TestNetworkFaults(t *testing.T) {
	binary := needNetwork(t)
	vendor := startVendor(t)
	x := newToxics(t, binary, strings.TrimPrefix(vendor.RootURL(), "http://"))
	// A provider for each fault, so that what one leads to is no matter of the others.
	kinds := []string{"none", "slicer", "bandwidth", "latency", "down", "reset", "silence", "limit", "reset-late", "limit-late", "silence-late"}
	var config strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&config, "  %s: {use: openai, base_url: \"http://%s/v1\", key: env:TEST_KEY}\n", k, x.address)
	}
	config.WriteString("models:\n")
	for _, k := range kinds {
		model := "small"
		if strings.HasSuffix(k, "-late") {
			model = "small+chunks-20+delay-50ms"
		}
		fmt.Fprintf(&config, "  m-%s: {lead: %s/%s, understudies: [claude/%s], %s}\n", k, k, model, model, networkTimes)
	}
	h := openHouse(t, config.String())
	hold := func(kind string, stream, byLead bool) {
		t.Helper()
		a := h.post(chatPath, ask("m-"+kind, stream))
		isRescue := strings.Contains(a.body, ": understudy rescue ")
		isLead := strings.HasPrefix(a.header.Get("X-Understudy-Target"), kind+"/") && !isRescue
		whole := a.err == nil && a.status == 200 && (!stream || endOf(chatPath, a.body) == "clean")
		if !whole || isLead != byLead {
			t.Errorf("%s, stream %v: got %d by %s (rescued: %v), %v and %.300s, want a whole answer by the lead: %v",
				kind, stream, a.status, a.header.Get("X-Understudy-Target"), isRescue, a.err, a.body, byLead)
		}
	}
	both := func(kind string, byLead bool) {
		t.Helper()
		hold(kind, false, byLead)
		hold(kind, true, byLead)
	}
	both("none", true)
	x.with("slicer", map[string]any{"average_size": 1, "size_variation": 0, "delay": 10}, func() { both("slicer", true) })
	x.with("bandwidth", map[string]any{"rate": 4}, func() { both("bandwidth", true) })
	x.with("latency", map[string]any{"latency": 200, "jitter": 100}, func() { both("latency", true) })
	x.with("timeout", map[string]any{"timeout": 0}, func() { both("silence", false) })
	x.with("reset_peer", map[string]any{"timeout": 0}, func() { both("reset", false) })
	x.with("limit_data", map[string]any{"bytes": 200}, func() { both("limit", false) })
	x.with("limit_data", map[string]any{"bytes": 3000}, func() { hold("limit-late", true, false) })
	x.with("reset_peer", map[string]any{"timeout": 400}, func() { hold("reset-late", true, false) })
	x.ask(http.MethodPost, "/proxies/"+toxicName, map[string]any{"enabled": false}, nil)
	both("down", false)
}

// TestBlackHoles takes packets away in a network namespace: of a connection that is not there yet, and of one
// that a stream is on. Nobody answers, not even with a reset.
func TestBlackHoles(t *testing.T) {
	needNetwork(t)
	space := newSpace(t)
	h := openHouse(t, fmt.Sprintf("  far: {use: openai, base_url: \"http://%s/v1\", key: env:TEST_KEY}\nmodels:\n"+
		"  assistant: {lead: far/small, understudies: [claude/small], timeouts: {connect: 1s, first_token: 3s, answer: 3s, stall: 2s, total: 1m}}\n"+
		"  long: {lead: far/small+chunks-400+delay-50ms, understudies: [claude/small+chunks-40], timeouts: {connect: 1s, first_token: 3s, answer: 3s, stall: 2s, total: 1m}}\n", space.address))
	wantWhole(t, "a network that is well", h.post(chatPath, ask("assistant", false)), "Where is Ada?")

	// A13: the peer vanishes under a stream.
	lines := h.stream(ask("long", true), "vanishes")
	until(t, lines, `"content":`, 2)
	space.drop()
	begun, text := time.Now(), ""
	for line := range lines {
		text += line + "\n"
	}
	if took := time.Since(begun); endOf(chatPath, text) != "clean" || !strings.Contains(text, ": understudy rescue from=far/") || took > 20*time.Second {
		t.Errorf("got %.500s after %v, want the stream rescued", text[max(0, len(text)-500):], took)
	}

	// A5: nobody answers a new connection, nor on the old one.
	for range 2 {
		begun = time.Now()
		a := h.post(chatPath, ask("assistant", false))
		wantWhole(t, "a black hole", a, "Where is Ada?")
		if took := time.Since(begun); took > 8*time.Second || !strings.HasPrefix(a.header.Get("X-Understudy-Target"), "claude/") {
			t.Errorf("got an answer by %s after %v, want the understudy's once the time to connect is over", a.header.Get("X-Understudy-Target"), took)
		}
	}
}

// space is a network namespace with a vendor in it.
type space struct {
	t       *testing.T
	name    string
	address string
}

func newSpace(t *testing.T) *space {
	t.Helper()
	s := &space{t: t, name: fmt.Sprintf("understudy-%d", os.Getpid())}
	const here, there, bits = "10.201.77.1", "10.201.77.2", "/30"
	inside, outside := fmt.Sprintf("us%dn", os.Getpid()), fmt.Sprintf("us%dh", os.Getpid())
	must(t, "ip", "netns", "add", s.name)
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", outside).Run()
		_ = exec.Command("ip", "netns", "del", s.name).Run()
	})
	must(t, "ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", s.name)
	must(t, "ip", "addr", "add", here+bits, "dev", outside)
	must(t, "ip", "link", "set", outside, "up")
	must(t, "ip", "-n", s.name, "addr", "add", there+bits, "dev", inside)
	must(t, "ip", "-n", s.name, "link", "set", inside, "up")
	listener := listenIn(t, s.name, there+":0")
	s.address = listener.Addr().String()
	v := fakeprovider.New(fakeprovider.Options{Key: canary})
	server := &http.Server{Handler: v, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); v.Close() })
	return s
}

// drop lets nothing more in.
func (s *space) drop() {
	must(s.t, "ip", "netns", "exec", s.name, "nft", "add table inet hole; add chain inet hole in { type filter hook input priority 0 ; policy drop ; }")
}

func must(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// listenIn listens in a network namespace, which belongs to a thread.
func listenIn(t *testing.T, space, address string) net.Listener {
	t.Helper()
	type made struct {
		net.Listener
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // and it is never let go: the thread ends with the goroutine
		f, err := os.Open("/var/run/netns/" + space)
		if err == nil {
			defer f.Close()
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- made{err: err}
			return
		}
		l, err := net.Listen("tcp", address)
		done <- made{l, err}
	}()
	m := <-done
	if m.err != nil {
		t.Fatalf("listen in the namespace: %v", m.err)
	}
	return m.Listener
}
