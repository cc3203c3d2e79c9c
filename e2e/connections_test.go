//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Errors of HTTP/2 (RFC 9113 section 7).
const (
	noError         = 0
	internalError   = 2
	refusedStream   = 7
	enhanceYourCalm = 11
	frameGoAway     = 0x7
)

// trouble is a fault of a connection, as a vendor makes it that is reached by TLS.
type trouble struct {
	row, name string
	cert      func(*certificates) tls.Certificate // the good one if nil
	// raw serves a connection in place of TLS and HTTP/2, answer a request in HTTP/2; nil closes the connection.
	raw    func(conn net.Conn)
	answer func(stream uint32, whole []byte) []byte
	// attempts are those at this vendor, requests what it sees of them.
	attempts, requests int
	isServed           bool // all the same
	streamed           bool // rescued if it is a stream
}

func goAway(last, code uint32) []byte {
	return frame(frameGoAway, 0, 0, string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code)))
}

func reset(stream, code uint32) []byte {
	return frame(frameReset, 0, stream, string(binary.BigEndian.AppendUint32(nil, code)))
}

func headers(stream uint32, body []byte) []byte {
	kind := "application/json"
	if !bytes.HasPrefix(body, []byte("{")) {
		kind = "text/event-stream"
	}
	return frame(frameHeaders, flagEndHeaders, stream, fields(":status", "200", "content-type", kind))
}

var troubles = []trouble{
	{row: "A6", name: "expired", cert: func(c *certificates) tls.Certificate { return c.expired }, attempts: 1},
	{row: "A6", name: "other-host", cert: func(c *certificates) tls.Certificate { return c.other }, attempts: 1},
	{row: "A6", name: "unknown", cert: func(c *certificates) tls.Certificate { return c.unknown }, attempts: 1},
	{row: "A7", name: "silent", raw: func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, attempts: 1},
	{row: "A7", name: "no-tls", raw: func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }, attempts: 1},
	{row: "A12", name: "closed", answer: func(uint32, []byte) []byte { return nil }, attempts: 1, requests: 1},
	{row: "H1", name: "goaway-below", answer: func(stream uint32, _ []byte) []byte { return goAway(stream-1, noError) }, attempts: 2, requests: 2},
	{row: "H2", name: "goaway-ours", answer: func(stream uint32, whole []byte) []byte {
		return slices.Concat(goAway(stream, noError), headers(stream, whole), frame(frameData, flagEndStream, stream, string(whole)))
	}, attempts: 1, requests: 1, isServed: true},
	{row: "H3", name: "refused", answer: func(stream uint32, _ []byte) []byte { return reset(stream, refusedStream) }, attempts: 2, requests: 2},
	{row: "H4", name: "broken", answer: func(stream uint32, whole []byte) []byte {
		half := string(whole[:len(whole)/2])
		return slices.Concat(headers(stream, whole), frame(frameData, 0, stream, half), reset(stream, internalError))
	}, attempts: 1, requests: 1, streamed: true},
	{row: "H5", name: "calm", answer: func(stream uint32, _ []byte) []byte { return reset(stream, enhanceYourCalm) }, attempts: 1, requests: 1},
	{row: "H6", name: "flood", answer: func(stream uint32, whole []byte) []byte {
		return slices.Concat(headers(stream, whole), bytes.Repeat(frame(frameData, 0, stream, ""), 1<<20))
	}, attempts: 1, requests: 1},
	{row: "H7", name: "settings", answer: func(stream uint32, whole []byte) []byte {
		const maxFrameSize = "\x00\x05" // which may not be 0
		return slices.Concat(frame(frameSettings, 0, 0, maxFrameSize+"\x00\x00\x00\x00"), headers(stream, whole), frame(frameData, flagEndStream, stream, string(whole)))
	}, attempts: 1, requests: 1},
}

// certificates are those of vendors.
type certificates struct {
	good, expired, other, unknown tls.Certificate
	file                          string // of all but the unknown one
}

func newCertificates(t *testing.T) *certificates {
	t.Helper()
	var all bytes.Buffer
	issue := func(host string, until time.Time, isKnown bool) tls.Certificate {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		of := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
		if ip := net.ParseIP(host); ip != nil {
			of.IPAddresses = []net.IP{ip}
		} else {
			of.DNSNames = []string{host}
		}
		der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if isKnown {
			_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: der})
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	later := time.Now().Add(time.Hour)
	c := &certificates{
		good: issue("127.0.0.1", later, true), expired: issue("127.0.0.1", time.Now().Add(-time.Hour), true),
		other: issue("other.example", later, true), unknown: issue("127.0.0.1", later, false),
		file: filepath.Join(t.TempDir(), "roots.pem"),
	}
	if err := os.WriteFile(c.file, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// vendorOf listens as a vendor with a fault does, and counts the requests that it sees. What whole returns is its answer.
func vendorOf(t *testing.T, f *trouble, certs *certificates, whole func() []byte) (address string, seen *atomic.Int32) {
	t.Helper()
	seen = new(atomic.Int32)
	cert := certs.good
	if f.cert != nil {
		cert = f.cert(certs)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	return listenAs(t, func(conn net.Conn) {
		if f.raw != nil {
			f.raw(conn)
			return
		}
		serveFrames(tls.Server(conn, config), func(stream uint32) []byte {
			seen.Add(1)
			return f.answer(stream, whole())
		})
	}), seen
}

// deafPort is a port that is taken and on which nobody listens, so that connections are refused.
func deafPort(t *testing.T) (address string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	is, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", is.(*unix.SockaddrInet4).Port)
}

// listenAs serves connections on a port of its own.
func listenAs(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// serveFrames speaks HTTP/2 by hand. What answer returns is written for each request that has come whole.
func serveFrames(conn net.Conn, answer func(stream uint32) []byte) {
	if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	_, _ = conn.Write(frame(frameSettings, 0, 0, ""))
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, conn, int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
			return
		}
		const ack = 1
		switch kind, flags := head[3], head[4]; {
		case kind == frameSettings && flags&ack == 0:
			_, _ = conn.Write(frame(frameSettings, ack, 0, ""))
		case (kind == frameData || kind == frameHeaders) && flags&flagEndStream != 0:
			out := answer(binary.BigEndian.Uint32(head[5:]))
			if out == nil {
				return
			}
			_, _ = conn.Write(out)
		}
	}
}

// provider is one of the client's own vendor, as a config has it.
func (c faultClient) provider(id, base string) string {
	if c.lead == "claude" {
		return fmt.Sprintf("  %s: {use: anthropic, base_url: %q, key: env:TEST_KEY}\n", id, base)
	}
	return fmt.Sprintf("  %s: {use: openai, base_url: %q, key: env:TEST_KEY}\n", id, base+"/v1")
}

func (c faultClient) ask(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,%s:500}`, model, stream, c.words)
}

// TestFaultsOfConnections is what the catalogue has of connections and no simulated vendor does beside others: names that are
// none, ports on which nobody listens, TLS, proxies and HTTP/2, through the binary, for clients of three APIs, whole and
// streamed. The attempts in the log are those that there should be, and the requests that a vendor sees no more than those.
func TestFaultsOfConnections(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	proxy := listenAs(t, func(conn net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		status, _, _ := strings.Cut(strings.TrimPrefix(r.Host, "status-"), ".")
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s No\r\nContent-Length: 0\r\n\r\n", status)
	})
	type play struct {
		trouble
		client faultClient
		stream bool
		model  string
		seen   *atomic.Int32
	}
	var plays []*play
	var providers, models strings.Builder
	replies := map[string][]byte{} // of healthy vendors, by the client and whether they are streamed
	add := func(f trouble, base string) {
		for _, c := range faultClients {
			for _, stream := range []bool{false, true} {
				p := &play{trouble: f, client: c, stream: stream, model: fmt.Sprintf("%s-%s-%v", c.name, f.name, stream), seen: new(atomic.Int32)}
				plays = append(plays, p)
				at := base
				if at == "" {
					address, seen := vendorOf(t, &p.trouble, certs, func() []byte { return replies[fmt.Sprint(c.name, stream)] })
					at, p.seen = "https://"+address, seen
				}
				providers.WriteString(c.provider(p.model, at))
				fmt.Fprintf(&models, "  %s: {lead: %s/small, understudies: [%s/small], timeouts: {connect: 2s, first_token: 20s, answer: 20s, stall: 20s, total: 1m}}\n",
					p.model, p.model, c.understudy)
			}
		}
	}
	for _, f := range troubles {
		add(f, "")
	}
	add(trouble{row: "A1", name: "no-name", attempts: 1}, "https://nobody.invalid")
	add(trouble{row: "A4", name: "refused-port", attempts: 1}, "http://"+deafPort(t))
	add(trouble{row: "A10", name: "proxy-407", attempts: 1}, "https://status-407.example")
	add(trouble{row: "A10", name: "proxy-502", attempts: 1}, "https://status-502.example")
	h := openHouse(t, providers.String()+"models:\n"+models.String(),
		"SSL_CERT_FILE="+certs.file, "SSL_CERT_DIR="+t.TempDir(), "HTTPS_PROXY=http://"+proxy, "NO_PROXY=.invalid")
	for _, c := range faultClients {
		for _, stream := range []bool{false, true} {
			replies[fmt.Sprint(c.name, stream)] = h.healthy(c, stream)
		}
	}
	var all sync.WaitGroup
	for _, p := range plays {
		all.Go(func() {
			a := h.post(p.client.path, p.client.ask(p.model, p.stream), "X-Idempotency-Key", p.model) // G1
			by, attempts := p.client.understudy+"/small", p.attempts+1
			isRescued := p.streamed && p.stream
			switch {
			case p.isServed:
				by, attempts = p.model+"/small", p.attempts
			case isRescued:
				by, attempts = p.model+"/small", p.attempts // when the stream began
			}
			text := textOf(a.body, p.stream)
			if a.err != nil || a.status != 200 || p.stream && endOf(p.client.path, a.body) != "clean" || text != saidOfTheSea ||
				a.header.Get("X-Understudy-Target") != by || a.header.Get("X-Understudy-Attempts") != fmt.Sprint(attempts) ||
				strings.Contains(a.body, ": understudy rescue ") != isRescued {
				t.Errorf("%s %s: got %d by %s in %s attempts with %q and %v, want %q by %s in %d; rescued: %v", p.row, p.model, a.status,
					a.header.Get("X-Understudy-Target"), a.header.Get("X-Understudy-Attempts"), text, a.err, saidOfTheSea, by, attempts, isRescued)
			}
			if got := int(p.seen.Load()); got != p.requests {
				t.Errorf("%s %s: got %d requests at the vendor, want %d", p.row, p.model, got, p.requests)
			}
		})
	}
	all.Wait()
	h.stop()
	logged := map[string]int{}
	for line := range strings.Lines(h.log.all()) {
		var said struct{ Msg, Provider string }
		if json.Unmarshal([]byte(line), &said) == nil && (said.Msg == "attempt" || said.Msg == "attempt failed") {
			logged[said.Provider]++
		}
	}
	for _, p := range plays {
		if logged[p.model] != p.attempts {
			t.Errorf("%s %s: got %d attempts in the log, want %d", p.row, p.model, logged[p.model], p.attempts)
		}
	}
}

// healthy is what a vendor of the client's own answers, without a gateway.
func (h *house) healthy(c faultClient, stream bool) []byte {
	h.t.Helper()
	at := h.chat.RootURL()
	if c.lead == "claude" {
		at = h.claude.RootURL()
	}
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, at+c.path, strings.NewReader(c.ask("small", stream)))
	if err != nil {
		h.t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + canary, "X-Api-Key": canary, "Anthropic-Version": "2023-06-01"} {
		req.Header.Set(name, value)
	}
	a := h.do(req)
	if a.err != nil || a.status != 200 {
		h.t.Fatalf("got %d, %v and %.200s from the vendor", a.status, a.err, a.body)
	}
	return []byte(a.body)
}

// TestConnectionDiesUnderItsStreams breaks the one connection of HTTP/2 that many streams are on: all of them are rescued,
// and the vendor has failed once, not once for each (H8).
func TestConnectionDiesUnderItsStreams(t *testing.T) {
	t.Parallel()
	const streams = 40
	certs := newCertificates(t)
	c := faultClients[0]
	var whole []byte
	var mu sync.Mutex
	open, conns := 0, 0
	vendor := listenAs(t, func(conn net.Conn) {
		mu.Lock()
		conns++
		mu.Unlock()
		serveFrames(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certs.good}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}), func(stream uint32) []byte {
			mu.Lock()
			defer mu.Unlock()
			if open++; open == 1+streams {
				time.AfterFunc(300*time.Millisecond, func() { _ = conn.Close() }) // when all have what they were sent
			}
			end := len(whole) / 2
			if open == 1 {
				return slices.Concat(headers(stream, whole), frame(frameData, flagEndStream, stream, string(whole)))
			}
			return slices.Concat(headers(stream, whole), frame(frameData, 0, stream, string(whole[:end])))
		})
	})
	h := openHouse(t, c.provider("far", "https://"+vendor)+"models:\n  assistant: {lead: far/small, understudies: [claude/small], timeouts: {stall: 30s}}\n",
		"SSL_CERT_FILE="+certs.file)
	whole = h.healthy(c, true)
	if a := h.post(c.path, c.ask("assistant", true)); a.err != nil || textOf(a.body, true) != saidOfTheSea || a.header.Get("X-Understudy-Target") != "far/small" {
		t.Fatalf("got %d, %v and %.300s, want the lead's answer", a.status, a.err, a.body)
	}
	var all sync.WaitGroup
	for range streams {
		all.Go(func() {
			a := h.post(c.path, c.ask("assistant", true))
			if a.err != nil || textOf(a.body, true) != saidOfTheSea || endOf(c.path, a.body) != "clean" || !strings.Contains(a.body, ": understudy rescue from=far/small") {
				t.Errorf("got %d, %v and %.500s, want the stream rescued", a.status, a.err, a.body)
			}
		})
	}
	all.Wait()
	mu.Lock()
	defer mu.Unlock()
	if open != 1+streams || conns != 1 {
		t.Errorf("got %d requests on %d connections at the vendor, want %d on one", open, conns, 1+streams)
	}
	h.wantUp("far") // it has failed once
}

// TestOneStreamAtATime has a vendor that serves one stream of a connection at a time (H9). Calls that come together get more
// connections, and nobody waits for ever: what came on a new one before its settings, and so is refused, is the next
// target's where it may not be sent again. That is not the vendor's fault.
func TestOneStreamAtATime(t *testing.T) {
	t.Parallel()
	const calls = 12
	certs := newCertificates(t)
	replies := map[string][]byte{}
	var asked, served, conns atomic.Int32
	vendor := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		time.Sleep(50 * time.Millisecond) // so that they do come together
		kind := "application/json"
		isStream := bytes.Contains(body, []byte(`"stream":true`))
		if isStream {
			kind = "text/event-stream"
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(replies[fmt.Sprint(r.URL.Path, isStream)])
	}))
	vendor.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	vendor.TLS = &tls.Config{Certificates: []tls.Certificate{certs.good}, MinVersion: tls.VersionTLS12}
	vendor.EnableHTTP2, vendor.Config.HTTP2 = true, &http.HTTP2Config{MaxConcurrentStreams: 1}
	vendor.StartTLS()
	t.Cleanup(vendor.Close)
	var providers, models strings.Builder
	for _, c := range faultClients {
		providers.WriteString(c.provider("one-"+c.name, vendor.URL))
		fmt.Fprintf(&models, "  at-%s: {lead: one-%s/small, understudies: [%s/small]}\n", c.name, c.name, c.understudy)
	}
	h := openHouse(t, providers.String()+"models:\n"+models.String(), "SSL_CERT_FILE="+certs.file, "SSL_CERT_DIR="+t.TempDir())
	for _, c := range faultClients {
		for _, stream := range []bool{false, true} {
			replies[fmt.Sprint(c.path, stream)] = h.healthy(c, stream)
		}
	}
	var all sync.WaitGroup
	for i := range calls {
		if i == 1 {
			all.Wait() // what the vendor allows is known then
		}
		stream := i%2 == 1
		for _, c := range faultClients {
			all.Go(func() {
				a := h.post(c.path, c.ask("at-"+c.name, stream))
				if a.err != nil || a.status != 200 || textOf(a.body, stream) != saidOfTheSea || stream && endOf(c.path, a.body) != "clean" {
					t.Errorf("%s, stream %v: got %d, %v and %.300s, want an answer", c.name, stream, a.status, a.err, a.body)
				}
				if a.header.Get("X-Understudy-Target") == "one-"+c.name+"/small" {
					served.Add(1)
				}
			})
		}
	}
	all.Wait()
	if asked.Load() != served.Load() || int(conns.Load()) <= len(faultClients) {
		t.Errorf("got %d requests on %d connections at the vendor, and %d answers of it, want as many and some more connections", asked.Load(), conns.Load(), served.Load())
	}
	h.wantUp("one-chat", "one-messages", "one-responses")
}

// wantUp holds providers to be up.
func (h *house) wantUp(providers ...string) {
	h.t.Helper()
	page := h.metrics()
	for _, id := range providers {
		if !strings.Contains(page, `understudy_target_state{model="",posture="normal",provider="`+id+`",state="up"} 1`) {
			h.t.Errorf("got %s not up, want it up", id)
		}
	}
}
