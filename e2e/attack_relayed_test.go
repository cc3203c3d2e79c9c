//go:build unix

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestAttackS49Forms sends forms that are meant to be slow to read, or to be read in two ways.
func TestAttackS49Forms(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"text":"ok"}`)
	})
	const path = "/v1/audio/transcriptions"
	part := func(header, value string) string { return "--b\r\n" + header + "\r\n\r\n" + value + "\r\n" }
	field := func(name, value string) string { return part(`Content-Disposition: form-data; name="`+name+`"`, value) }
	model := field("model", "evilchat/m")
	const plain, end = "multipart/form-data; boundary=b", "--b--\r\n"
	for name, test := range map[string]struct {
		contentType, body string
		statuses          []int
	}{
		"plain":                     {plain, model + end, []int{200}},
		"100,000 parts":             {plain, model + strings.Repeat(field("x", "y"), 100_000) + end, []int{200, 400}},
		"100,000 empty parts":       {plain, model + strings.Repeat("--b\r\n\r\n\r\n", 100_000) + end, []int{400}},
		"nearly the boundary":       {plain, model + field("x", strings.Repeat("\r\n--", 1_000_000)) + end, []int{200}},
		"nearly a header's end":     {plain, model + "--b\r\n" + strings.Repeat("a: b\r\n", 1_000_000), []int{400}},
		"header of 1 MiB":           {plain, model + part("X-A: "+strings.Repeat("a", 1<<20)+"\r\nContent-Disposition: form-data; name=\"x\"", "y") + end, []int{400}},
		"20,000 headers":            {plain, model + part(strings.Repeat("a: b\r\n", 20_000)+`Content-Disposition: form-data; name="x"`, "y") + end, []int{400}},
		"parameters without end":    {plain, part(`Content-Disposition: form-data; name="model"`+strings.Repeat("; a=b", 3000), "evilchat/m") + end, []int{200, 400}},
		"characters after boundary": {plain, "--bxx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nevilchat/m\r\n--bxx\r\n" + end, []int{400}},
		"two models":                {plain, model + field("model", "chat/small") + end, []int{400}},
		"two dispositions":          {plain, part("Content-Disposition: form-data; name=\"model\"\r\nContent-Disposition: form-data; name=\"x\"", "evilchat/m") + end, []int{400}},
		"two names":                 {plain, part(`Content-Disposition: form-data; name="model"; name="x"`, "evilchat/m") + end, []int{400}},
		"no end":                    {plain, model, []int{400}},
		"no name":                   {plain, model + part("Content-Type: text/plain", "x") + end, []int{400}},
		"bare line ends":            {plain, strings.ReplaceAll(model+end, "\r\n", "\n"), []int{400}},
		"model of another kind":     {plain, field("model", "evilchat/m\r\nX-A: b") + end, []int{400}},
		"long boundary":             {"multipart/form-data; boundary=" + strings.Repeat("b", 20<<10), model + end, []int{400}},
		"boundary of 1 MiB":         {"multipart/form-data; boundary=" + strings.Repeat("b", 1<<20), model + end, []int{431}},
		"no boundary":               {"multipart/form-data", model + end, []int{400}},
		"two boundaries":            {"multipart/form-data; boundary=b; boundary=c", model + end, []int{400}},
		"boundary with a line end":  {"multipart/form-data; boundary=\"b\\\r\nX-A: c\"", model + end, []int{400}},
	} {
		n, begin := asked.Load(), time.Now()
		answer, _ := h.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, test.contentType, len(test.body), test.body))
		if !slices.Contains(test.statuses, status(answer)) {
			t.Errorf("%s: got %.300q, want %v", name, answer, test.statuses)
		}
		if status(answer) != 200 && asked.Load() != n {
			t.Errorf("%s: got the vendor asked, want the form refused before", name)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: got an answer after %v, want it at once", name, took)
		}
	}
}

// TestAttackS100Splitting: no header that a vendor's answer is relayed with begins another, whatever characters are in it.
func TestAttackS100Splitting(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var header atomic.Value
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", header.Load())
			}()
		}
	}()
	h := openHouse(t, `  odd: {use: openai, base_url: "http://`+l.Addr().String()+`/v1", key: env:TEST_KEY}`+"\n")
	for _, value := range []string{
		"Content-Type: application/json\rX-Evil: y", "Content-Type: image/png\rX-Evil: y", "Content-Type: image/png\nX-Evil: y", "Content-Type: image/png\x00X-Evil: y",
		"Content-Type: image/png\r\nContent-Disposition: attachment; filename=\"a\rX-Evil: y\"", "Content-Type: image/png\r\n X-Evil: y",
		"Content-Type: image/png\x0bX-Evil: y", "Content-Type: image/png\x85X-Evil: y", "Content-Type: image/png; a=\xff\xfe", "Content-Type: " + strings.Repeat("image/", 5000),
		"Content-Type: image/png\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked", "Content-Type: image/png\r\nContent-Length: 200",
		"Content-Type: image/png\r\nX-Evil : y", "Content-Type: image/png\r\nX-Request-Id: \x1b[31m\r\nX-Understudy-Call: evil",
	} {
		header.Store(value)
		for _, way := range h.ways() {
			answer, _ := way.raw(request("/v1/images/generations", "", `{"model":"odd/m","prompt":"x"}`))
			head, body, _ := strings.Cut(answer, "\r\n\r\n")
			lines := strings.Split(head, "\r\n")
			if code := status(answer); code != 200 && code != 502 || strings.ContainsAny(strings.Join(lines, ""), "\r\n\x00\x1b\x0b") || len(head) > 4<<10 {
				t.Errorf("%.60q, %s: got %.400q, want an answer with none of it, or 502", value, way.name, answer)
			}
			for _, line := range lines[1:] {
				if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(name), "X-Evil") {
					t.Errorf("%.60q, %s: got header %q, want none", value, way.name, line)
				}
			}
			if status(answer) == 200 && body != "{}" {
				t.Errorf("%.60q, %s: got body %.100q, want the vendor's", value, way.name, body)
			}
		}
	}
}

// TestAttackS73Sessions: a realtime session is nothing for other sites' pages, for messages without end or for
// handshakes that are none; and a vendor's messages do not fill the gateway.
func TestAttackS73Sessions(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		conn.SetReadLimit(64 << 20)
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if string(message) == "flood" {
				message = make([]byte, 40<<20)
			}
			if conn.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	}, "limits: {body: 4MiB}\n")
	const path = "/v1/realtime?model=evilchat/m"
	upgrade := "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	var all sync.WaitGroup
	for name, raw := range map[string]string{
		"another site":    upgrade + "Origin: https://evil.example\r\n\r\n",
		"no site":         upgrade + "Origin: null\r\n\r\n",
		"two sites":       upgrade + "Origin: http://x\r\nOrigin: https://evil.example\r\n\r\n",
		"no key":          strings.Replace(upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1) + "\r\n",
		"a short key":     strings.Replace(upgrade, "dGhlIHNhbXBsZSBub25jZQ==", "aGk=", 1) + "\r\n",
		"another version": strings.Replace(upgrade, "Version: 13", "Version: 8", 1) + "\r\n",
		"POST":            strings.Replace(upgrade, "GET", "POST", 1) + "\r\n",
		"no connection":   strings.Replace(upgrade, "Connection: Upgrade\r\n", "", 1) + "\r\n",
		"two keys":        upgrade + "Sec-WebSocket-Key: eGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"another path":    strings.Replace(upgrade, "/v1/realtime", "/v1/models", 1) + "\r\n",
		"a call's path":   strings.Replace(upgrade, path, chatPath, 1) + "\r\n",
		"a line in it":    strings.Replace(upgrade, "evilchat/m", "evilchat/m%0d%0aX-A:b", 1) + "Connection: close\r\n\r\n",
		"a climbing one":  strings.Replace(upgrade, "evilchat/m", "evilchat/..%2f..%2fx", 1) + "\r\n",
	} {
		for _, way := range h.ways() {
			all.Go(func() {
				conn, r := way.dial()
				if code := first(t, conn, r, raw); code == 101 || code == 0 {
					t.Errorf("%s, %s: got status %d, want it refused", name, way.name, code)
				}
			})
		}
	}
	if all.Wait(); asked.Load() != 0 {
		t.Errorf("got %d sessions opened at the vendor, want all refused before", asked.Load())
	}

	session := func() (context.Context, *websocket.Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		conn, _, err := websocket.Dial(ctx, h.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.CloseNow() })
		conn.SetReadLimit(64 << 20)
		return ctx, conn
	}
	wantClosed := func(name string, ctx context.Context, conn *websocket.Conn, codes ...websocket.StatusCode) {
		t.Helper()
		_, got, err := conn.Read(ctx)
		if err == nil || errors.Is(err, context.DeadlineExceeded) || len(codes) > 0 && !slices.Contains(codes, websocket.CloseStatus(err)) {
			t.Errorf("%s: got %d bytes and %v, want the session closed as %v", name, len(got), err, codes)
		}
	}
	ctx, conn := session()
	_ = conn.Write(ctx, websocket.MessageBinary, make([]byte, 5<<20))
	wantClosed("a message of 5 MiB", ctx, conn, websocket.StatusMessageTooBig)
	ctx, conn = session()
	w, _ := conn.Writer(ctx, websocket.MessageText)
	for range 100 { // frames of one message that does not end
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	wantClosed("a message without an end", ctx, conn, websocket.StatusMessageTooBig)
	ctx, conn = session()
	_ = conn.Write(ctx, websocket.MessageText, []byte("flood"))
	wantClosed("a vendor's message of 40 MiB", ctx, conn)
	// A frame that says it is longer than there is memory takes none.
	raw, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_, _ = io.WriteString(raw, upgrade+"\r\n"+"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00abc")
	_ = raw.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(raw)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("a frame of 2⁶³ bytes: got %v, %v, want the upgrade", resp, err)
	}
	_ = raw.SetReadDeadline(time.Now().Add(time.Second))
	if more, err := io.ReadAll(io.LimitReader(r, 1<<20)); len(more) > 1<<9 {
		t.Errorf("a frame of 2⁶³ bytes: got %.100q, %v, want nothing but the upgrade", more, err)
	}
	ctx, conn = session()
	_ = conn.Write(ctx, websocket.MessageText, []byte("hello"))
	if _, got, err := conn.Read(ctx); err != nil || string(got) != "hello" {
		t.Errorf("afterwards: got %q, %v, want the echo", got, err)
	}
	if peak := peakMemory(t, h); peak > 300<<20 {
		t.Errorf("got %d MiB of memory used, want at most 300", peak>>20)
	}
}
