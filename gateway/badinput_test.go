package gateway_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

// TestBadBodies: whatever is wrong with a body, the client gets the right status
// in its own dialect with the call's id, and no vendor hears of it.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Body = 1 << 20
	w := newWorld(t, withLimits(limits))
	ok := `"messages":[{"role":"user","content":"hi"}],"max_tokens":5`
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"empty":                {"", 400},
		"white space":          {" \n", 400},
		"malformed":            {`{"model":`, 400},
		"truncated":            {`{"model":"MODEL",` + ok, 400},
		"trailing document":    {`{"model":"MODEL",` + ok + `} {}`, 400},
		"trailing comma":       {`{"model":"MODEL",` + ok + `,}`, 400},
		"comment":              {`{"model":"MODEL",/* */` + ok + `}`, 400},
		"byte order mark":      {"\xef\xbb\xbf" + `{"model":"MODEL",` + ok + `}`, 400},
		"not a number":         {`{"model":"MODEL","temperature":NaN,` + ok + `}`, 400},
		"an array":             {`[]`, 400},
		"a string":             {`"model"`, 400},
		"null":                 {`null`, 400},
		"nested too deeply":    {`{"model":"MODEL",` + ok + `,"x":` + strings.Repeat("[", 129) + strings.Repeat("]", 129) + `}`, 400},
		"nested absurdly":      {strings.Repeat("[", 200_000), 400},
		"duplicate key":        {`{"model":"MODEL","model":"other",` + ok + `}`, 400},
		"duplicate by escape":  {`{"model":"MODEL","mode\u006c":"other",` + ok + `}`, 400},
		"duplicate by case":    {`{"model":"MODEL","Model":"other",` + ok + `}`, 400},
		"kelvin sign":          {`{"model":"MODEL","max_to` + "\u212a" + `ens":9,` + ok + `}`, 400},
		"long s alone":         {`{"model":"MODEL","\u017ftream":true,` + ok + `}`, 400},
		"invalid UTF-8":        {`{"model":"MODEL","user":"` + "\xff" + `",` + ok + `}`, 400},
		"model of wrong type":  {`{"model":7,` + ok + `}`, 400},
		"no model":             {`{` + ok + `}`, 400},
		"empty model":          {`{"model":"",` + ok + `}`, 400},
		"unknown model":        {`{"model":"nobody",` + ok + `}`, 404},
		"stream of wrong type": {`{"model":"MODEL","stream":"yes",` + ok + `}`, 400},
		"over the limit":       {`{"model":"MODEL",` + ok + `,"x":"` + strings.Repeat("x", 1<<20) + `"}`, 413},
	} {
		for _, a := range apis {
			for _, lead := range []string{a.own[0], a.other[0]} {
				got := w.post(a, []byte(strings.ReplaceAll(test.body, "MODEL", lead)), nil)
				w.wantError(t, name+" to "+a.name+" from "+lead, a, got, test.status)
				if isTwofold := strings.Contains(name, "duplicate") || strings.Contains(name, "sign") || strings.Contains(name, "long s"); a.name == "chat" && isTwofold != strings.Contains(string(got.body), `"code":"ambiguous_json"`) {
					t.Errorf("%s from %s: got %s, want the code ambiguous_json: %v", name, lead, got.body, isTwofold)
				}
			}
		}
	}
	w.wantNothingSent(t)
}

// TestWrongTypes: what stands inside of a field and is of the wrong type, or out of range, is the translator's to find.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, extra := range map[string]map[string]any{
		"messages is a string": {"messages": "hello"},
		"message is a number":  {"messages": []any{7}},
		"role is unknown":      {"messages": []any{map[string]any{"role": "narrator", "content": "x"}}},
		"content is a number":  {"messages": []any{map[string]any{"role": "user", "content": 7}}},
		"temperature is text":  {"temperature": "hot"},
		"max_tokens negative":  {"max_tokens": -1},
		"max_tokens is text":   {"max_tokens": "5"},
		"tools is an object":   {"tools": map[string]any{}},
		"tool is null":         {"tools": []any{nil}},
	} {
		for _, a := range apis {
			got := w.post(a, body(a.other[0], "Hello", false, extra), nil)
			w.wantError(t, name+" to "+a.name, a, got, 400)
		}
	}
	w.wantNothingSent(t)
}

// TestBadPathsAndMethods: unknown paths and wrong methods are answered as such.
func TestBadPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/chat/completions", 405},
		{"PUT", "/v1/messages", 405},
		{"POST", "/v1/models", 405},
		{"POST", "/v1/nothing", 404},
		{"POST", "//v1/chat/completions", 404},
		{"POST", "/v1/chat/completions/", 404},
		{"POST", "/V1/chat/completions", 404},
		{"POST", "/v1/../v1/chat/completions", 404},
		{"GET", "/", 404},
		{"GET", "/v1/models/nobody", 404},
	} {
		for _, a := range apis {
			req, err := http.NewRequestWithContext(t.Context(), test.method, w.url+"/x", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Path = test.path
			for k, v := range a.header {
				req.Header.Set(k, v)
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			got := &answer{status: resp.StatusCode, header: resp.Header}
			got.body, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			got.readWhole(a)
			if strings.HasPrefix(test.path, "/v1/chat/completions") && a.name == messagesAPI.name {
				continue // the path says Chat, whatever the header
			}
			if test.path == "/v1/messages" && a.name == chatAPI.name {
				continue
			}
			w.wantError(t, test.method+" "+test.path+" by "+a.name, a, got, test.status)
		}
	}
}

// TestCredentials: two credentials that differ are refused, the same one twice is
// not, and it does not matter where an SDK puts it.
func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range apis {
		for _, h := range []map[string]string{
			{"Authorization": "Bearer one", "X-Api-Key": "two"},
			{"Api-Key": "one", "X-Goog-Api-Key": "two"},
		} {
			w.wantError(t, "two credentials to "+a.name, a, w.post(a, body(a.own[0], "Hello", false), h), 400)
		}
		for _, h := range []map[string]string{
			{"Authorization": "Basic eDp5"}, {"X-Api-Key": strings.Repeat("k", 5000)}, {"X-Api-Key": "na\u00efve"},
		} {
			w.wantError(t, "bad credential to "+a.name, a, w.post(a, body(a.own[0], "Hello", false), h), 401)
		}
	}
	w.wantNothingSent(t)
	same := map[string]string{"Authorization": "Bearer one", "X-Api-Key": "one"}
	if got := w.post(chatAPI, body("chat1", "Hello", false), same); !got.whole() {
		t.Errorf("got %v, want one credential in two places accepted", got)
	}
}

// TestRefusedByHTTP2: a small body is read although its call is refused, since a stream of HTTP/2 that ends before its
// body is reset, which some clients take for no answer. A large one is not.
func TestRefusedByHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, size := range []int{100, 1 << 20} {
		sent := strings.NewReader(strings.Repeat(" ", size))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, chatAPI.path, sent)
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
		r.Header.Set("Authorization", "Bearer one")
		r.Header.Set("X-Api-Key", "two")
		got := httptest.NewRecorder()
		w.handler.ServeHTTP(got, r)
		if isRead := sent.Len() == 0; got.Code != 400 || got.Header().Get("Connection") != "" || isRead != (size == 100) {
			t.Errorf("body of %d: got %d, Connection %q, %d bytes unread; want 400, no such header, all of a small body read",
				size, got.Code, got.Header().Get("Connection"), sent.Len())
		}
	}
	w.wantNothingSent(t)
}

// TestEncodings: gzip bodies are read, bombs and unknown encodings are refused (T085).
func TestEncodings(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Body = 1 << 20
	w := newWorld(t, withLimits(limits))
	raw, _ := json.Marshal(body("chat1", "Hello", false))
	if got := w.post(chatAPI, zip(raw), map[string]string{"Content-Encoding": "gzip"}); !got.whole() {
		t.Errorf("gzip: got %v, want an answer", got)
	}
	n := w.count("chat1")
	w.wantError(t, "bomb", chatAPI, w.post(chatAPI, zip(make([]byte, 8<<20)), map[string]string{"Content-Encoding": "gzip"}), 413)
	w.wantError(t, "not gzip", chatAPI, w.post(chatAPI, raw, map[string]string{"Content-Encoding": "gzip"}), 400)
	w.wantError(t, "unknown encoding", chatAPI, w.post(chatAPI, raw, map[string]string{"Content-Encoding": "br"}), 415)
	w.wantError(t, "form", chatAPI, w.post(chatAPI, raw, map[string]string{"Content-Type": "multipart/form-data; boundary=x"}), 415)
	if w.count("chat1") != n {
		t.Errorf("got %d requests at the vendor, want none of the refused ones", w.count("chat1")-n)
	}
}

// TestTrickle: a body that drips is given up within the time for it.
func TestTrickle(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.BodyTimeout = 200 * time.Millisecond
	w := newWorld(t, withLimits(limits))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"model\":")
	start := time.Now()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if took := time.Since(start); resp.StatusCode != http.StatusRequestTimeout || took > 2*time.Second {
		t.Errorf("got status %d after %v, want 408 within the limit", resp.StatusCode, took)
	}
	w.wantNothingSent(t)
}

// TestFraming: bodies whose framing is a trick are refused, and nothing is sent.
func TestFraming(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ok := `{"model":"chat1","messages":[{"role":"user","content":"hi"}]}`
	for name, raw := range map[string]string{
		"two lengths":         "Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + ok,
		"bad length":          "Content-Length: -1\r\n\r\n" + ok,
		"length beyond body":  "Content-Length: 4000\r\nConnection: close\r\n\r\n" + ok,
		"unknown encoding":    "Transfer-Encoding: xchunked\r\n\r\n" + ok,
		"bare LF in a chunk":  "Transfer-Encoding: chunked\r\n\r\n5\n" + ok,
		"chunk cut short":     "Transfer-Encoding: chunked\r\n\r\nff\r\n" + ok,
		"chunk size overflow": "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + ok,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n%s", raw)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			if resp.StatusCode < 400 {
				t.Errorf("%s: got status %d, want an error", name, resp.StatusCode)
			}
			_ = resp.Body.Close()
		}
		_ = conn.Close()
	}
	w.wantNothingSent(t)
}

// TestLengthBeyondMemory: a body that is said to be longer than any may be is too large, and no reason to come back
// in a moment, however much memory there is.
func TestLengthBeyondMemory(t *testing.T) {
	t.Parallel()
	limits := gateway.DefaultLimits()
	limits.Memory = 1 << 30
	w := newWorld(t, withLimits(limits))
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		for _, length := range []string{"67108865", "99999999999", "9223372036854775807"} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n{", path, length)
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusRequestEntityTooLarge || resp.Header.Get("Retry-After") != "" {
				t.Errorf("%s, %s bytes: got status %d, Retry-After %q, want 413 and none", path, length, resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			_ = resp.Body.Close()
			_ = conn.Close()
		}
	}
	w.wantNothingSent(t)
}

func (w *world) wantError(t *testing.T, name string, a api, got *answer, status int) {
	t.Helper()
	var shape struct {
		Type  string
		Error *struct{ Type, Message string }
	}
	err := json.Unmarshal(got.body, &shape)
	switch {
	case got.status != status:
		t.Errorf("%s: got %v, want status %d", name, got, status)
	case err != nil || shape.Error == nil || shape.Error.Type == "" || shape.Error.Message == "":
		t.Errorf("%s: got body %.300s, want an error in the dialect's form", name, got.body)
	case a.name == messagesAPI.name && shape.Type != "error":
		t.Errorf("%s: got body %.300s, want Anthropic's form", name, got.body)
	case got.header.Get("X-Understudy-Call") == "":
		t.Errorf("%s: got no call id", name)
	case len(got.body) > 1<<10:
		t.Errorf("%s: got an error of %d bytes, want at most 1 KiB", name, len(got.body))
	}
}

func (w *world) wantNothingSent(t *testing.T) {
	t.Helper()
	for id, v := range w.vendors {
		if n := v.Count(); n != 0 {
			t.Errorf("got %d requests at %s, want none", n, id)
		}
	}
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}
