//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// evilHouse is a house with a third vendor, evil, of either dialect; more is added to the config.
func evilHouse(t *testing.T, handler http.HandlerFunc, more ...string) *house {
	t.Helper()
	evil := httptest.NewServer(handler)
	t.Cleanup(evil.CloseClientConnections)
	t.Cleanup(evil.Close)
	return openHouse(t, `  evilchat: {use: openai, base_url: "`+evil.URL+`/v1", key: env:TEST_KEY}
  evilclaude: {use: anthropic, base_url: "`+evil.URL+`", key: env:TEST_KEY}
models:
  chat: {lead: evilchat/m, understudies: [chat/small], timeouts: {answer: 3s, first_token: 3s, stall: 3s, total: 30s}}
  claude: {lead: evilclaude/m, understudies: [claude/small], timeouts: {answer: 3s, first_token: 3s, stall: 3s, total: 30s}}
`+strings.Join(more, ""))
}

// wholeAnswer is a vendor's unary answer for the path that was asked.
func wholeAnswer(path string) string {
	if path == messagesPath {
		return `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"In London."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}`
	}
	return `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"In London."},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`
}

// streamParts are the beginning of a vendor's stream, up to its first content, and
// the rest.
func streamParts(path string) (begin, rest string) {
	if path == messagesPath {
		return "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n" +
				"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
				"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"In \"}}\n\n",
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"London.\"}}\n\n" +
				"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
				"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n" +
				"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	}
	chunk := func(delta, finish string) string {
		return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}` + "\n\n"
	}
	return chunk(`{"role":"assistant","content":""}`, "null") + chunk(`{"content":"In "}`, "null"),
		chunk(`{"content":"London."}`, "null") + chunk(`{}`, `"stop"`) + "data: [DONE]\n\n"
}

// isStream reports whether a vendor is asked to stream.
func isStream(r *http.Request) bool {
	var body struct{ Stream bool }
	_ = json.NewDecoder(io.LimitReader(r.Body, 16<<20)).Decode(&body)
	return body.Stream
}

// everyWay calls do for both APIs, both evil vendors, unary and stream.
func everyWay(do func(path, model string, stream bool)) {
	for _, path := range []string{chatPath, messagesPath} {
		for _, model := range []string{"evilchat/m", "evilclaude/m"} {
			for _, stream := range []bool{false, true} {
				do(path, model, stream)
			}
		}
	}
}

func TestAttackS100S101VendorHeaders(t *testing.T) {
	t.Parallel()
	var failing atomic.Bool
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		stream := isStream(r)
		for name, value := range map[string]string{
			"Set-Cookie": "a=b", "Location": "http://evil.example", "Refresh": "0;url=http://evil", "Access-Control-Allow-Origin": "*",
			"Access-Control-Allow-Credentials": "true", "X-Accel-Redirect": "/etc/passwd", "X-Sendfile": "/etc/passwd", "Connection": "X-Understudy-Call, close",
			"Server": "evil", "Www-Authenticate": "Basic", "Strict-Transport-Security": "max-age=0", "Link": "</x>; rel=preload", "Clear-Site-Data": `"*"`,
			"X-Understudy-Target": "other/m", "X-Understudy-Call": "call_evil", "X-Request-Id": "evil", "Openai-Organization": "org-secret",
			"Anthropic-Organization-Id": "org-secret", "Content-Security-Policy": "x", "Alt-Svc": `h3="evil:443"`, "Trailer": "X-Late",
		} {
			w.Header().Set(name, value)
		}
		for i := range 2000 {
			w.Header().Add("X-Many", fmt.Sprint(i))
		}
		switch {
		case failing.Load():
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"type":"error","error":{"type":"invalid_request_error","code":"invalid_value","message":"<script>alert(1)</script>\u001b[31m `+strings.Repeat("x", 5000)+`"}}`)
		case stream:
			w.Header().Set("Content-Type", "text/event-stream")
			begin, rest := streamParts(r.URL.Path)
			fmt.Fprint(w, begin+rest)
		default:
			fmt.Fprint(w, wholeAnswer(r.URL.Path))
		}
	})
	allowed := []string{
		"Content-Type", "Content-Length", "Date", "Cache-Control", "X-Accel-Buffering", "Request-Id", "X-Request-Id", "Retry-After", "X-Should-Retry",
		"X-Understudy-Call", "X-Understudy-Target", "X-Understudy-Attempts", "X-Understudy-Mode", "X-Understudy-Loss", "X-Understudy-Attempts-Detail",
	}
	check := func(name string, a got) {
		for header, values := range a.header {
			if !slices.Contains(allowed, header) || strings.Contains(strings.Join(values, " "), "evil ") || strings.HasSuffix(values[0], "_evil") || values[0] == "other/m" {
				t.Errorf("%s: got %s: %.100q, want it left out", name, header, values)
			}
		}
	}
	everyWay(func(path, model string, stream bool) {
		name := fmt.Sprintf("%s from %s, stream %v", path, model, stream)
		a := h.post(path, ask(model, stream))
		wantWhole(t, name, a, "London.")
		check(name, a)
	})
	failing.Store(true)
	everyWay(func(path, model string, stream bool) {
		name := fmt.Sprintf("error of %s from %s, stream %v", path, model, stream)
		a := h.post(path, ask(model, stream))
		check(name, a)
		if a.status != 400 || a.header.Get("Content-Type") != "application/json" || !json.Valid([]byte(a.body)) || strings.Contains(a.body, "\x1b") || len(a.body) > 64<<10 {
			t.Errorf("%s: got %d, %s and %.300q, want an error as JSON", name, a.status, a.header.Get("Content-Type"), a.body)
		}
	})
	if strings.Contains(h.log.all(), "<script>") {
		t.Errorf("got the vendor's words in the log")
	}
}

func TestAttackS37Redirects(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		codes := []int{301, 302, 303, 307, 308}
		var body struct{ Seed int }
		_ = json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body)
		w.Header().Set("Location", thief.URL+r.URL.Path)
		w.WriteHeader(codes[body.Seed%len(codes)])
	})
	for seed := range 5 {
		wantWhole(t, "redirected", h.post(chatPath, withMembers(fmt.Sprintf(`"seed":%d`, seed), ask("chat", false))), "Where is Ada?")
	}
	wantWhole(t, "redirected stream", h.post(messagesPath, ask("claude", true)), "message_stop")
	h.wantError("no understudy", chatPath, h.post(chatPath, ask("evilchat/m", false)), 502)
	if stolen.Load() != 0 {
		t.Errorf("got %d requests where the vendor pointed, want none", stolen.Load())
	}
}

// TestAttackS78KeyEchoed: a vendor that repeats our key, whole or in part, escaped or
// not, in an error of whatever kind, does not give it to the client or to the log.
func TestAttackS78KeyEchoed(t *testing.T) {
	t.Parallel()
	var echo, place atomic.Value
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		stream := isStream(r)
		fault := fmt.Sprintf(`{"type":"error","error":{"type":"invalid_request_error","message":"Bad value, key %[1]s.","param":"%[1]s","code":"%[1]s"},"request_id":"%[1]s"}`, echo.Load())
		begin, _ := streamParts(r.URL.Path)
		event := "event: error\ndata: " + fault + "\n\n"
		status := 200
		switch place.Load() {
		case "400", "401", "403", "404", "422", "429", "500":
			_, _ = fmt.Sscan(place.Load().(string), &status)
		case "200":
		case "first":
			fault = event
		case "later":
			fault = begin + event
		case "head", "trailer":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if place.Load() == "head" {
				fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", echo.Load())
			} else {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n%s\r\n\r\n", echo.Load())
			}
			return
		}
		if stream && status == 200 {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, fault)
	})
	telling := []string{canary[:14], canary[len(canary)-10:], canary[14:24]}
	for _, e := range []string{
		canary, canary[:16] + "****", canary[:12] + "…" + canary[len(canary)-12:], "****" + canary[len(canary)-12:],
		strings.ReplaceAll(canary, "-", `\u002d`), `\u0073\u006b` + canary[2:], canary[:20] + `\u0037` + canary[21:], "Bearer " + canary,
	} {
		echo.Store(e)
		for _, where := range []string{"400", "401", "403", "404", "422", "429", "500", "200", "first", "later", "head", "trailer"} {
			place.Store(where)
			everyWay(func(path, model string, stream bool) {
				if (where == "first" || where == "later") && !stream {
					return
				}
				a := h.post(path, ask(model, stream), "X-Understudy-Fallback", "off")
				text := fmt.Sprint(a.header) + a.body
				for _, from := range []string{`\u002d`, `\u0073`, `\u006b`, `\u0037`} {
					text = strings.ReplaceAll(text, from, map[string]string{`\u002d`: "-", `\u0073`: "s", `\u006b`: "k", `\u0037`: canary[20:21]}[from])
				}
				for _, part := range telling {
					if strings.Contains(text, part) {
						t.Errorf("key as %.40q in %s to %s from %s, stream %v: got %.400q", e, where, path, model, stream, a.body)
						return
					}
				}
			})
		}
	}
	for _, part := range telling {
		if i := strings.Index(h.log.all(), part); i >= 0 {
			t.Errorf("got the key in the log: %.300q", h.log.all()[max(i-200, 0):])
		}
	}
}

// TestAttackS72S106Floods: an answer without end is cut off, and the understudy's
// given.
func TestAttackS72S106Floods(t *testing.T) {
	t.Parallel()
	var kind atomic.Value
	var sent atomic.Int64
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		stream := isStream(r)
		begin, _ := streamParts(r.URL.Path)
		block := strings.Repeat("x", 64<<10)
		switch kind.Load() {
		case "error":
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"error":{"message":"`)
		case "redirect":
			w.WriteHeader(302)
		case "body":
			_, _ = io.WriteString(w, `{"id":"`)
		case "comments":
			block = strings.Repeat(": comment\n\n", 5000)
		case "event":
			_, _ = io.WriteString(w, begin[:30])
		case "drip":
			block = " "
		}
		if stream {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		for range 20_000 { // 1.3 GB
			n, err := io.WriteString(w, block)
			sent.Add(int64(n))
			if err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			if kind.Load() == "drip" {
				time.Sleep(50 * time.Millisecond)
			}
		}
	})
	for _, test := range []struct {
		kind   string
		stream bool
		most   int64
	}{
		{"error", false, 16 << 20},
		{"redirect", false, 16 << 20},
		{"body", false, 160 << 20},
		{"comments", true, 160 << 20},
		{"event", true, 160 << 20},
		{"drip", false, 1 << 20},
		{"drip", true, 1 << 20},
	} {
		kind.Store(test.kind)
		sent.Store(0)
		start := time.Now()
		a := h.post(chatPath, ask("chat", test.stream))
		if test.kind == "error" { // a 400 is the request's fault
			h.wantError("flood of "+test.kind, chatPath, a, 400)
		} else {
			wantWhole(t, "flood of "+test.kind, a, "Ada")
		}
		if took := time.Since(start); took > 15*time.Second || sent.Load() > test.most {
			t.Errorf("flood of %s: got %d bytes taken in %v, want at most %d", test.kind, sent.Load(), took, test.most)
		}
	}
	if peak := peakMemory(t, h); peak > 400<<20 {
		t.Errorf("got %d MiB of memory used, want at most 400", peak>>20)
	}
}

// peakMemory is the most memory that the gateway has had.
func peakMemory(t *testing.T, h *house) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.process.Pid))
	if err != nil {
		t.Logf("the memory is not measured: %v", err)
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestAttackS103StreamFields: what a vendor may say beside events reaches no client
// of a translated stream. A relayed one is the vendor's own, byte for byte, but for
// what it says in the gateway's name.
func TestAttackS103StreamFields(t *testing.T) {
	t.Parallel()
	with := func(path, inBlock, inEvent string) string {
		begin, rest := streamParts(path)
		return "retry: 0\n\n: keep-alive\n\n" + begin + inBlock + "\n: understanding\nid: 7\nretry: 0\n\n" + inEvent + rest
	}
	const forged = ": understudy rescue from=a to=b\n"
	sent := func(path string) string { return with(path, forged, ":  Understudy rescue from=a to=b\r\n") }
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_ = isStream(r)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, sent(r.URL.Path))
	})
	everyWay(func(path, model string, stream bool) {
		if !stream {
			return
		}
		a := h.post(path, withMembers(`"stream_options":{"include_usage":true}`, ask(model, true)))
		wantWhole(t, path+" from "+model, a, "London.")
		if a.header.Get("X-Understudy-Mode") == "relay" {
			if want := with(path, "", ""); a.body != want {
				t.Errorf("%s from %s: got %.600q, want what the vendor sent without its announcements %q", path, model, a.body, want)
			}
			return
		}
		if strings.Contains(a.body, "retry:") || strings.Contains(a.body, "\nid:") || strings.Contains(a.body, "rescue") {
			t.Errorf("%s from %s: got %.400q, want fields other than event and data left out", path, model, a.body)
		}
	})
}

// TestAttackS105Crossing: no answer reaches another request than its own, though
// vendors send more than they should and clients leave in the middle.
func TestAttackS105Crossing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // each answer is followed by another one that nobody asked for
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 64<<10)
				for {
					if n, err := conn.Read(buf); err != nil || n == 0 {
						return
					}
					good, bad := wholeAnswer(chatPath), strings.Replace(wholeAnswer(chatPath), "London", "Lisbon", 1)
					const form = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
					fmt.Fprintf(conn, form+form, len(good), good, len(bad), bad)
				}
			}()
		}
	}()
	h := openHouse(t, `  twice: {use: openai, base_url: "http://`+l.Addr().String()+`/v1", key: env:TEST_KEY}`+"\n")
	for range 50 {
		a := h.post(chatPath, ask("twice/m", false))
		wantWhole(t, "two answers", a, "London")
	}
	ways := []struct{ path, model string }{{chatPath, "chat/small"}, {messagesPath, "claude/small"}, {chatPath, "claude/small"}, {messagesPath, "chat/small"}}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range swept(250, 100) {
				token := fmt.Sprintf("token-%d-%d-end", worker, i)
				stream, to := i%2 == 0, ways[(worker+i/2)%len(ways)]
				body := strings.Replace(ask(to.model, stream), "Where is Ada?", token+strings.Repeat(" and so on", i%7*50), 1)
				if i%5 == 0 { // this one leaves
					conn, err := net.Dial("tcp", h.address)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.WriteString(conn, request(to.path, "", body))
					if i%2 == 0 {
						_, _ = conn.Read(make([]byte, 10))
					}
					conn.Close()
					continue
				}
				a := h.post(to.path, body)
				if !strings.Contains(a.body, token) || strings.Count(a.body, "token-") != 1 {
					t.Errorf("got %d and %.300q (%v), want %s alone", a.status, a.body, a.err, token)
				}
			}
		})
	}
	all.Wait()
}

// TestAttackS36S50S97Config: addresses that are not what they seem, and files that
// are meant to hurt, are refused with their line; and so is a gateway that is open to the world (S90).
func TestAttackS36S50S97Config(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check := func(name, text string, wants ...string) {
		file := filepath.Join(dir, "bad.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		cmd := exec.CommandContext(t.Context(), "understudy", "check", "--config", file)
		cmd.Env = []string{"HOME=" + dir, "TEST_KEY=" + canary}
		out, err := cmd.CombinedOutput()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: got an answer after %v, want it at once", name, took)
		}
		if err == nil || strings.Contains(string(out), canary) || len(out) > 8<<10 {
			t.Errorf("%s: got %v and %.500s, want it refused", name, err, out)
		}
		for _, want := range wants {
			if !strings.Contains(string(out), "bad.yaml:"+want) {
				t.Errorf("%s: got %s, want it refused at %s", name, out, want)
			}
		}
	}
	addresses, lines := "providers:\n", []string(nil)
	for i, url := range []string{
		"http://api.example.com/v1", "http://allowed@evil.example/v1", "https://allowed@evil.example/v1", "https://evil.example#allowed", "ftp://x.example", "file:///etc/passwd",
		"https://", "https:///v1", "https://a b/v1", `https://allowed\\@evil.example`, "https://x.example/v1?key=1", "https://user:pass@x.example",
		"http://169.254.169.254/latest", "http://100.100.100.200/", "http://0.0.0.0:1/v1", "javascript:alert(1)", "//x.example/v1", "x.example/v1",
		"https://x.example:99999/v1", "https://x.example:0/v1", "http://0x7f.1/v1", "https://ex\\tample.com",
	} {
		addresses += fmt.Sprintf("  p%d:\n    use: openai\n    key: none\n    base_url: \"%s\"\n", i, url)
		lines = append(lines, fmt.Sprintf("%d:", 4*i+5))
	}
	check("addresses", addresses, lines...)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for name, test := range map[string][2]string{
		"anchors":       {bomb, "1:"},
		"merge":         {"a: &a {b: 1}\nproviders: {<<: *a}\n", ""},
		"key twice":     {"listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "2:"},
		"tab":           {"providers:\n\topenai: {}\n", "2:"},
		"large":         {strings.Repeat("# comment\n", 1<<20), ""},
		"deep":          {"providers: " + strings.Repeat("[", 100_000), ""},
		"binary":        {"\x00\x01\x02", ""},
		"not UTF-8":     {"listen: \"\xff\"\n", ""},
		"two documents": {"listen: 127.0.0.1:1\n---\nadmin: 127.0.0.1:2\n", ""},
		"literal key":   {"providers:\n  openai: {key: " + canary + "}\n", "2:"},
		"wide open":     {"listen: 0.0.0.0:8080\nproviders: {openai: {key: none}}\naccess: {anonymous: true}\n", "3:"},
		"admin open":    {"admin: 0.0.0.0:8081\nproviders: {openai: {key: none}}\naccess: {anonymous: true}\n", "3:"},
		"known secret":  {"providers: {openai: {key: none}}\naccess: {secret: sk-1234}\n", "2:"},
	} {
		check(name, test[0], test[1])
	}
}
