//go:build linux

package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

// TestNetworkBlackHoles takes packets away in a network namespace: of a connection that is not there yet, and of one
// that a stream is on. Nobody answers, not even with a reset.
func TestNetworkBlackHoles(t *testing.T) {
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

// TestNetworkNames has the gateway ask a name server of the test's own: names that are none, a server that fails or says
// nothing, and addresses that no vendor has, for clients of three APIs, whole and streamed (A1 to A3). While the server
// fails, the last good addresses stand.
func TestNetworkNames(t *testing.T) {
	needNetwork(t)
	names := newNames(t)
	certs := newCertificates(t)
	vendor := &http.Server{
		Handler: fakeprovider.New(fakeprovider.Options{Key: canary}), ReadHeaderTimeout: time.Minute,
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{certs.other}, MinVersion: tls.VersionTLS12},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	vendor.SetKeepAlivesEnabled(false) // so that each call looks for its address
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = vendor.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = vendor.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())

	rows := map[string]struct{ row, cause string }{
		"nobody": {"A1", "no such host"}, "failing": {"A2", "server misbehaving"}, "silent": {"A2", "resolve: "},
		"metadata": {"A3", "address refused by the egress guard"}, "inside": {"A3", "address refused by the egress guard"},
	}
	var providers, models strings.Builder
	fmt.Fprintf(&providers, "  good: {use: openai, base_url: \"https://other.example:%s/v1\", key: env:TEST_KEY, private: true}\n", port)
	models.WriteString("  of-good: {lead: good/small, understudies: [claude/small]}\n")
	for _, c := range faultClients {
		for name := range rows {
			id := c.name + "-" + name
			providers.WriteString(c.provider(id, "https://"+name+".test:"+port))
			fmt.Fprintf(&models, "  of-%s: {lead: %s/small, understudies: [%s/small], timeouts: {connect: 2s}}\n", id, id, c.understudy)
		}
	}
	h := buildHouse(t, providers.String()+"models:\n"+models.String(), "SSL_CERT_FILE="+certs.file, "SSL_CERT_DIR="+t.TempDir())
	h.launch("unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, names.config)
	h.wantServing()
	var all sync.WaitGroup
	for _, c := range faultClients {
		for name, row := range rows {
			for _, stream := range []bool{false, true} {
				all.Go(func() {
					id, begun := c.name+"-"+name, time.Now()
					a := h.post(c.path, c.ask("of-"+id, stream))
					if took := time.Since(begun); textOf(a.body, stream) != saidOfTheSea || a.header.Get("X-Understudy-Target") != c.understudy+"/small" || took > 5*time.Second {
						t.Errorf("%s %s, stream %v: got %d by %s and %.300s after %v, want the understudy's answer soon", row.row, id, stream, a.status, a.header.Get("X-Understudy-Target"), a.body, took)
					}
				})
			}
		}
	}
	all.Wait()
	for _, step := range []string{"is well", "fails"} {
		a := h.post(chatPath, ask("of-good", false))
		if wantWhole(t, "a name server that "+step, a, "Where is Ada?"); a.header.Get("X-Understudy-Target") != "good/small" {
			t.Errorf("a name server that %s: got %s, want the vendor itself", step, a.header.Get("X-Understudy-Target"))
		}
		names.down.Store(true)
	}
	h.stop()
	causes := map[string]string{} // of failed attempts, by provider
	for line := range strings.Lines(h.log.all()) {
		var said struct{ Msg, Provider, Cause string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "attempt failed" {
			causes[said.Provider] += said.Cause + "\n"
		}
	}
	for _, c := range faultClients {
		for name, row := range rows {
			if got := causes[c.name+"-"+name]; !strings.Contains(got, row.cause) {
				t.Errorf("%s %s-%s: got %q as the cause of its failure, want %q", row.row, c.name, name, got, row.cause)
			}
		}
	}
}

// names is a name server. What it says of a name is in the name.
type names struct {
	config string // a resolv.conf that names it
	down   atomic.Bool
}

func newNames(t *testing.T) *names {
	t.Helper()
	const address = "127.201.77.1"
	n := &names{config: filepath.Join(t.TempDir(), "resolv.conf")}
	if err := os.WriteFile(n.config, []byte("nameserver "+address+"\n"), 0o644); err != nil { //nolint:gosec // as it is in /etc
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", address+":53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		for buf := make([]byte, 1500); ; {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := n.answer(buf[:size]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return n
}

// answer is what there is to a query (RFC 1035 section 4): nothing, an error, or an address if it asks for one of IPv4.
func (n *names) answer(query []byte) []byte {
	const header, questionTail, typeA = 12, 5, 1
	end := bytes.IndexByte(query[header:], 0) // of the name
	if end < 0 || len(query) < header+end+questionTail {
		return nil
	}
	question := query[header : header+end+questionTail]
	reply := func(code, answers byte) []byte {
		out := append([]byte{query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0}, question...)
		return out
	}
	at := func(ip ...byte) []byte {
		if question[end+2] != typeA {
			return reply(0, 0)
		}
		return append(append(reply(0, 1), 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, byte(len(ip))), ip...)
	}
	const failure, noName = 2, 3
	switch name := string(question[1 : 1+question[0]]); {
	case n.down.Load(), name == "failing":
		return reply(failure, 0)
	case name == "other":
		return at(127, 0, 0, 1)
	case name == "metadata":
		return at(169, 254, 169, 254)
	case name == "inside":
		return at(10, 0, 0, 1)
	case name == "silent":
		return nil
	}
	return reply(noName, 0)
}
