//go:build unix

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The attacks of these files are those of the project's list of them; a test is
// named for its rows.

// way is how an attack comes: on a connection of its own, or on one that began as a good client's does.
type way struct {
	name string
	raw  func(text string) (answer string, closed bool)
	dial func() (net.Conn, *bufio.Reader)
}

func (h *house) ways() []way {
	return []way{{"at once", h.raw, h.fresh}, {"after a call", h.rawAfter, h.begun}}
}

// fresh is a connection on which nothing was said, and its reader.
func (h *house) fresh() (net.Conn, *bufio.Reader) {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// wantCalls checks that the vendors were asked by the plain calls before attacks, and by no attack.
func (h *house) wantCalls(plain int) {
	h.t.Helper()
	if n := h.seen(); n != plain {
		h.t.Errorf("got %d requests at the vendors, want the %d of plain calls", n, plain)
	}
}

func TestAttackS1ToS5Framing(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	body := ask("assistant", false)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	head := "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\n"
	tests := []struct {
		name, raw string
		statuses  []int
	}{
		{"two lengths", head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + body, []int{400}},
		{"lengths in one line", head + "Content-Length: 5, 6\r\n\r\n" + body, []int{400}},
		{"signed length", head + "Content-Length: +5\r\n\r\n" + body, []int{400}},
		{"hexadecimal length", head + "Content-Length: 0x5\r\n\r\n" + body, []int{400}},
		{"xchunked", head + "Transfer-Encoding: xchunked\r\n\r\n" + chunked, []int{501}},
		{"chunked, identity", head + "Transfer-Encoding: chunked, identity\r\n\r\n" + chunked, []int{400, 501}},
		{"two encodings", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked, []int{400, 501}},
		{"space before the colon", head + "Transfer-Encoding : chunked\r\n\r\n" + chunked, []int{400}},
		{"bare LF after a chunk's size", head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Replace(chunked, "\r\n", "\n", 1), []int{400}},
		{"chunk extension of 64 KiB", head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Replace(chunked, "\r\n", ";"+strings.Repeat("x", 64<<10)+"\r\n", 1), []int{400}},
		{"chunk size overflow", head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + body, []int{400}},
		{"no Host", "POST " + chatPath + " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		{"two Hosts", head + "Host: y\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		{"Host with a fragment", "POST " + chatPath + " HTTP/1.1\r\nHost: a/#@b\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		{"NUL in a header", head + "X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		{"bad header name", head + "X A: b\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		{"no header name", head + ": b\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		{"line that goes on", head + "X-A: b\r\n c\r\nX-B: d\r\nContent-Length: -2\r\n\r\n{}", []int{400}},
		{"length that goes on", head + "Content-Length: 2\r\n 0\r\n\r\n{}", []int{400}},
		{"bare CR in a header", head + "X-A: b\rContent-Length: 2\r\n\r\n{}", []int{400}},
		{"length of many digits", head + "Content-Length: 99999999999999999999\r\n\r\n{}", []int{400, 413}},
		{"length with a space in it", head + "Content-Length: 1 2\r\n\r\n{}", []int{400}},
		{"length of nothing", head + "Content-Length: \r\n\r\n" + body, []int{400}},
		{"chunk with a sign", head + "Transfer-Encoding: chunked\r\n\r\n+" + chunked, []int{400}},
		{"chunk longer than it says", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n" + body + "\r\n0\r\n\r\n", []int{400}},
		{"another HTTP", "POST " + chatPath + " HTTP/3.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", []int{400, 505}},
		{"no HTTP", "POST " + chatPath + "\r\nHost: x\r\n\r\n", []int{400}},
		{"spaces in the first line", "POST  " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", []int{400, 404}},
		{"space before the method", " POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		{"encoding in HTTP/1.0", "POST " + chatPath + " HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunked, []int{400}},
	}
	var all sync.WaitGroup
	for _, test := range tests {
		for _, way := range h.ways() {
			all.Go(func() {
				answer, closed := way.raw(test.raw)
				if !slices.Contains(test.statuses, status(answer)) || !closed || strings.Count(answer, "HTTP/1.") != 1 {
					t.Errorf("%s, %s: got %.60q (closed: %v), want %v, once, and the connection closed", test.name, way.name, answer, closed, test.statuses)
				}
				if !strings.Contains(answer, "\r\nX-Understudy-Call: call_") || !strings.Contains(answer, "\r\n\r\n{\"error\":{\"") {
					t.Errorf("%s, %s: got %.600q, want an error in the words of the client's API, and the call's id", test.name, way.name, answer)
				}
			})
		}
	}
	all.Wait()
	h.wantCalls(len(tests))
	h.chat.Forget()
	for _, way := range h.ways() {
		answer, _ := way.raw("POST " + messagesPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}")
		if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, `{"type":"error","error":{"type":"invalid_request_error","message":"`) {
			t.Errorf("%s: got %.600q, want the words of the other API", way.name, answer)
		}
	}

	// With both, Transfer-Encoding wins, the vendor sees one request that we framed,
	// and what follows on the connection is not taken for a request.
	smuggled := head + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + head + "Content-Length: 2\r\n\r\n{}"
	for i, way := range h.ways() {
		h.chat.Forget()
		answer, closed := way.raw(smuggled)
		if status(answer) != 200 || !closed || strings.Count(answer, "HTTP/1.1 ") != 1 {
			t.Errorf("both, %s: got %.300q (closed: %v), want one answer and the connection closed", way.name, answer, closed)
		}
		h.wantCalls(1 + i) // and the plain one
		if last := h.chat.Last(); last.Header.Get("Content-Length") == "6" || last.Header.Get("Transfer-Encoding") != "" {
			t.Errorf("both, %s: got %v at the vendor, want our own framing", way.name, last.Header)
		}
	}
}

func TestAttackS6S7Paths(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	body := ask("assistant", false)
	plain := 0
	want := func(name, raw string, statuses ...int) {
		t.Helper()
		for _, way := range h.ways() {
			answer, _ := way.raw(raw)
			if !slices.Contains(statuses, status(answer)) || strings.Contains(answer, "HTTP/1.1 200") {
				t.Errorf("%s, %s: got %.100q, want %v", name, way.name, answer, statuses)
			}
		}
		plain++
	}
	for _, path := range []string{
		"//v1/chat/completions", "/v1//chat/completions", "/v1/../v1/chat/completions", "/v1/./chat/completions",
		"/v1/%2e%2e/v1/chat/completions", "/v1/chat/completions/", "/v1/chat/completions;x", "/V1/chat/completions",
		"/v1/chat/completions%00", "/v1/chat/completions%20", "/v1/chat/completions%c0%af", "/v1/chat/completions%2f",
		"/v1/chat/completions%3fx", "/healthz", "/readyz", "/metrics", "/debug/pprof/", "/admin", "/../healthz", "/", "*",
		"/v1/models/../chat/completions", "/v1/chat/completions%", "/v1/chat/completions%zz",
		"/v1/chat/completions#x", "/v1/chat/completions\xc0\xaf", "/v1/chat/completions\xff", "http://evil.example/admin", "http:///admin",
	} {
		want(path, request(path, "", body), 404, 400, 405)
	}
	for _, line := range []string{
		"POST \\v1\\chat\\completions HTTP/1.1", "POST /v1/chat/completions\x00 HTTP/1.1", "POST v1/chat/completions HTTP/1.1",
		"POST /v1/chat/completions HTTP/1.1 HTTP/1.1", "POST /v1/chat/completions x HTTP/1.1", "POST\t/v1/chat/completions\tHTTP/1.1",
	} {
		want(fmt.Sprintf("%q", line), line+"\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 400, 404)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "CONNECT", "FOO", "post"} {
		want(method, method+" "+chatPath+" HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n", 405, 404, 400)
	}
	h.wantCalls(plain)
	h.chat.Forget()

	// An absolute form or another Host leads to the same handler.
	for name, raw := range map[string]string{
		"absolute form": strings.Replace(request("http://evil.example"+chatPath+"?beta=true&x=%zz", "", body), "Host: gateway", "Host: elsewhere", 1),
		"unknown query": request(chatPath+"?beta=true&key=sk-other&"+strings.Repeat("a=b&", 2000), "", body),
		"HTTP/1.0":      strings.Replace(request(chatPath, "", body), "HTTP/1.1", "HTTP/1.0", 1),
	} {
		for _, way := range h.ways() {
			answer, _ := way.raw(raw)
			if status(answer) != 200 || strings.Count(answer, "HTTP/1.") != 1 {
				t.Errorf("%s, %s: got %.200q, want 200", name, way.name, answer)
			}
		}
	}
	for _, seen := range h.chat.Requests() {
		if seen.Path != chatPath || seen.Query != "" {
			t.Errorf("got %s?%s at the vendor, want the bare path", seen.Path, seen.Query)
		}
	}
	wantWhole(t, "beta", h.post(messagesPath+"?beta=true", ask("author", false)), "Where is Ada?")
}

func TestAttackS8S9S30ClientHeaders(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	headers := []string{
		"Connection: Authorization, X-Api-Key, Content-Type", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-User: root",
		"X-Forwarded-Uri: /admin", "X_Real_IP: 10.0.0.1", "X-User_Id: 1", "Forwarded: for=1.1.1.1", "Cookie: session=1",
		"Proxy-Authorization: Basic eDp5", "Via: 1.1 x", "Te: trailers", "Idempotency-Key: 1", "User-Agent: evil",
		"X-Portkey-Custom-Host: http://127.0.0.1:1", "X-Litellm-Api-Base: http://127.0.0.1:1", "Openai-Organization: org-evil",
		"Openai-Project: proj-evil", "X-Api-Base: http://127.0.0.1:1", "Accept-Encoding: br", "X-Fault: internal-500", "Authorization: Bearer client-key",
	}
	for i, to := range []struct{ path, model string }{{chatPath, "assistant"}, {messagesPath, "author"}, {chatPath, "author"}} {
		fields := strings.Replace(strings.Join(headers, "\r\n")+"\r\n", "Idempotency-Key: 1", fmt.Sprintf("Idempotency-Key: %d", i), 1) // one for each request
		answer, _ := h.raw(request(to.path, fields, ask(to.model, false)))
		if status(answer) != 200 {
			t.Errorf("%s: got %.300q, want 200", to.path, answer)
		}
	}
	allowed := []string{"Authorization", "X-Api-Key", "Anthropic-Version", "Anthropic-Beta", "Openai-Beta", "Accept", "Accept-Encoding", "Content-Type", "Content-Length", "User-Agent"}
	for _, seen := range append(h.chat.Requests(), h.claude.Requests()...) {
		for name, values := range seen.Header {
			if !slices.Contains(allowed, name) || strings.Contains(strings.Join(values, ","), "client-key") || strings.Contains(strings.Join(values, ","), "evil") {
				t.Errorf("got %s: %q at the vendor, want it left out", name, values)
			}
		}
		if key := seen.Header.Get("Authorization") + seen.Header.Get("X-Api-Key"); !strings.Contains(key, canary) {
			t.Errorf("got no key of ours at the vendor")
		}
	}
	// Members that other gateways obey do not move the destination either.
	body := strings.TrimSuffix(ask("assistant", false), "}") + `,"api_base":"http://127.0.0.1:1","base_url":"http://127.0.0.1:1","custom_host":"http://127.0.0.1:1","extra_headers":{"X-A":"b"}}`
	n := h.seen()
	if a := h.post(chatPath, body); a.status != 200 && a.status != 400 {
		t.Errorf("api_base: got %d and %s, want it ignored or refused", a.status, a.body)
	}
	if h.seen() == n {
		t.Errorf("got no request at the vendors, want the destination unchanged")
	}
}

func TestAttackS10ToS13Credentials(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	body := ask("assistant", false)
	for name, test := range map[string]struct {
		headers  string
		statuses []int
	}{
		"two that differ":         {"Authorization: Bearer one\r\nX-Api-Key: two\r\n", []int{400}},
		"two Authorizations":      {"Authorization: Bearer one\r\nAuthorization: Bearer two\r\n", []int{400}},
		"two in one line":         {"Authorization: Bearer one, Bearer two\r\n", []int{400, 401}},
		"two keys in one line":    {"X-Api-Key: one, two\r\n", []int{400, 401}},
		"differ in case":          {"Authorization: Bearer one\r\nX-Api-Key: ONE\r\n", []int{400}},
		"api-key and google's":    {"Api-Key: one\r\nX-Goog-Api-Key: two\r\n", []int{400}},
		"another scheme":          {"Authorization: Basic eDp5\r\n", []int{401}},
		"empty scheme":            {"Authorization: \r\n", []int{400, 401}},
		"beyond ASCII":            {"X-Api-Key: na\xc3\xafve\r\n", []int{401}},
		"invalid UTF-8":           {"Authorization: Bearer \xff\xfe\r\n", []int{401}},
		"tab inside":              {"Authorization: Bearer a\tb\r\n", []int{401}},
		"NUL inside":              {"Authorization: Bearer a\x00b\r\n", []int{400}},
		"CR inside":               {"Authorization: Bearer a\rX-A: b\r\n", []int{400, 401}},
		"long":                    {"Authorization: Bearer " + strings.Repeat("k", 20<<10) + "\r\n", []int{401}},
		"1 MiB":                   {"Authorization: Bearer " + strings.Repeat("k", 1<<20) + "\r\n", []int{431}},
		"40 KiB in google's":      {"X-Goog-Api-Key: " + strings.Repeat("k", 40<<10) + "\r\n", []int{431}},
		"SQL":                     {"Authorization: Bearer ' OR 1=1--\r\nX-Api-Key: x\r\n", []int{400, 401}},
		"same, with inner spaces": {"Authorization: Bearer a b\r\n", []int{400, 401}},
	} {
		start := time.Now()
		answer, _ := h.raw(request(chatPath, test.headers, body))
		if code := status(answer); !slices.Contains(test.statuses, code) {
			t.Errorf("%s: got %.200q, want %v", name, answer, test.statuses)
		} else if took := time.Since(start); took > time.Second {
			t.Errorf("%s: got %v, want an answer at once", name, took)
		}
		if strings.Contains(answer, "kkkk") || strings.Contains(answer, "eDp5") {
			t.Errorf("%s: got %.300q, want the credential not echoed", name, answer)
		}
	}
	h.wantNothingSent()
	// The same one twice is one, wherever SDKs put it.
	a := h.post(chatPath, body, "Authorization", "bearer  one ", "X-Api-Key", "one", "Api-Key", "one", "X-Goog-Api-Key", "one")
	wantWhole(t, "one in four places", a, "Where is Ada?")
}

func TestAttackS60S61S66SlowClients(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard+"limits: {body_timeout: 1s}\n")
	part := "Content-Length: 400\r\n"
	var all sync.WaitGroup
	once := func(name, address, text string, drip bool, atLeast time.Duration, statuses []int) (took time.Duration) {
		start := time.Now()
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
		if drip {
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				tick := time.NewTicker(100 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						_, _ = io.WriteString(conn, "x")
					}
				}
			}()
		}
		_ = conn.SetReadDeadline(start.Add(patience))
		answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20)) // an end of any kind
		took = time.Since(start)
		if took < atLeast {
			t.Errorf("%s: got the connection closed after %v, want at least %v", name, took, atLeast)
		}
		if !slices.Contains(append(statuses, 0), status(string(answer))) || len(statuses) > 0 && len(answer) == 0 {
			t.Errorf("%s: got %.100q, want %v", name, answer, statuses)
		}
		return took
	}
	slow := func(name, address, text string, drip bool, atLeast, atMost time.Duration, statuses ...int) {
		all.Go(func() {
			took := best(atMost, func() time.Duration { return once(name, address, text, drip, atLeast, statuses) })
			if took > atMost {
				t.Errorf("%s: got a connection open for %v, want it closed within %v", name, took.Round(time.Millisecond), atMost)
			}
		})
	}
	head := "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\n"
	// A body that stops or drips, to whatever path and whatever the answer.
	slow("body that drips", h.address, head+part+"\r\n{", true, 0, 3*time.Second, 408)
	slow("body that stops", h.address, head+part+"\r\n{", false, 0, 3*time.Second, 408)
	slow("chunks that stop", h.address, head+"Transfer-Encoding: chunked\r\n\r\n5\r\n", false, 0, 3*time.Second, 408)
	slow("gzip that stops", h.address, head+part+"Content-Encoding: gzip\r\n\r\n\x1f\x8b", false, 0, 3*time.Second, 408)
	slow("body to an unknown path", h.address, "POST /nope HTTP/1.1\r\nHost: x\r\n"+part+"\r\n{", true, 0, 4*time.Second, 404)
	slow("body with a bad credential", h.address, head+part+"Authorization: Basic x\r\n\r\n{", false, 0, 4*time.Second, 401)
	slow("body of an unknown encoding", h.address, head+part+"Content-Encoding: br\r\n\r\n{", false, 0, 4*time.Second, 415)
	slow("body of a wrong method", h.address, strings.Replace(head, "POST", "PUT", 1)+part+"\r\n{", false, 0, 4*time.Second, 405)
	slow("body of the model list", h.address, "GET /v1/models HTTP/1.1\r\nHost: x\r\n"+part+"\r\n{", false, 0, 4*time.Second, 200)
	slow("continue and nothing", h.address, head+part+"Expect: 100-continue\r\n\r\n", false, 0, 3*time.Second, 100)
	slow("body to the admin listener", h.admin, "POST /healthz HTTP/1.1\r\nHost: x\r\n"+part+"\r\n{", false, 0, 13*time.Second, 405)
	// Headers have ten seconds.
	slow("headers that drip", h.address, head+"X-A: ", true, 9*time.Second, 13*time.Second)
	slow("nothing at all", h.address, "", false, 9*time.Second, 13*time.Second)
	slow("headers to the admin listener", h.admin, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", false, 9*time.Second, 13*time.Second)
	// Meanwhile others are served.
	for range 20 {
		wantWhole(t, "meanwhile", h.post(chatPath, ask("assistant", false)), "Where is Ada?")
	}
	all.Wait()
}

func TestAttackS62S63HeaderLimits(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	body := ask("assistant", false)
	plain := 0
	for name, test := range map[string]struct {
		headers  string
		statuses []int
	}{
		"2 MiB in one header": {"X-A: " + strings.Repeat("a", 2<<20) + "\r\n", []int{431}},
		"40 KiB":              {"X-A: " + strings.Repeat("a", 40<<10) + "\r\n", []int{431}},
		"10,000 headers":      {strings.Repeat("X-A: b\r\n", 10_000), []int{431}},
		"10,000 cookies":      {"Cookie: " + strings.Repeat("a=b; ", 10_000) + "\r\n", []int{431}},
		"30 KiB":              {"X-A: " + strings.Repeat("a", 30<<10) + "\r\n", []int{200}},
	} {
		plain++
		for _, way := range h.ways() {
			answer, _ := way.raw(request(chatPath, test.headers, body))
			if !slices.Contains(test.statuses, status(answer)) {
				t.Errorf("%s, %s: got %.100q, want %v", name, way.name, answer, test.statuses)
			}
			if status(answer) == 200 {
				plain++
			}
		}
	}
	for _, way := range h.ways() {
		answer, _ := way.raw(request(chatPath+"?"+strings.Repeat("a=bc&", 10_001), "", body))
		if status(answer) != 431 {
			t.Errorf("10,001 parameters, %s: got %.100q, want 431", way.name, answer)
		}
	}
	h.wantCalls(plain + 1)
}

func TestAttackS73Upgrades(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	body := ask("assistant", false)
	// HTTP/2 is spoken where a connection begins with it, and nothing turns into it.
	for name, raw := range map[string]string{
		"h2c":       request(chatPath, "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", body),
		"websocket": request(chatPath, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", body),
	} {
		answer, closed := h.raw(strings.Replace(raw, "Connection: close", "Connection: Upgrade, HTTP2-Settings, close", 1))
		code := status(answer)
		if code == 101 || code == 0 || !closed {
			t.Errorf("%s: got %.100q, want no other protocol", name, answer)
		}
	}
	const settings = 4 // the frame that HTTP/2 begins with (RFC 9113 section 6.5), and its place
	conn, _ := h.http2(false)
	var head [9]byte
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(conn, head[:]); err != nil || head[3] != settings {
		t.Errorf("preface: got %.100q, %v, want HTTP/2's settings", head, err)
	}
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Pipelined requests are answered one by one, in order.
	one := strings.Replace(request(chatPath, "", body), "Connection: close\r\n", "", 1)
	_, _ = io.WriteString(conn, one+strings.Replace(one, "Ada", "Bob", 1)+"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(conn)
	for i, want := range []string{"Where is Ada", "Where is Bob", "Nothing is served"} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(text), want) {
			t.Errorf("pipelined request %d: got %.200s, want %q", i, text, want)
		}
	}
}
