//go:build unix

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// withMembers adds members to a body, before its own.
func withMembers(members, body string) string { return "{" + members + "," + body[1:] }

func TestAttackS42S46S47Ambiguity(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	for _, to := range []struct{ path, model string }{{chatPath, "assistant"}, {chatPath, "author"}, {messagesPath, "author"}, {messagesPath, "assistant"}} {
		ok := ask(to.model, false)
		for name, body := range map[string]string{
			"key by another case":  withMembers(`"Model":"dear"`, ok),
			"key twice":            withMembers(`"model":"cheap"`, ok),
			"key by escape":        withMembers(`"mode\u006c":"cheap"`, ok),
			"long s":               withMembers(`"ſtream":true`, ok),
			"Kelvin sign":          withMembers(`"max_toKens":7`, ok),
			"nested twice":         strings.Replace(ok, `"role":"user"`, `"role":"user","role":"system"`, 1),
			"NaN":                  withMembers(`"x":NaN`, ok),
			"Infinity":             withMembers(`"x":-Infinity`, ok),
			"trailing comma":       strings.TrimSuffix(ok, "}") + ",}",
			"comment":              withMembers(`/**/"x":1`, ok),
			"single quotes":        withMembers(`'x':1`, ok),
			"leading zero":         withMembers(`"x":01`, ok),
			"plus":                 withMembers(`"x":+1`, ok),
			"bare control":         withMembers("\"x\":\"\n\"", ok),
			"byte order mark":      "\xef\xbb\xbf" + ok,
			"UTF-16":               "\xff\xfe" + strings.Join(strings.Split(ok, ""), "\x00") + "\x00",
			"two documents":        ok + ok,
			"trailing garbage":     ok + "}",
			"trailing NUL":         ok + "\x00",
			"form feed":            "\f" + ok,
			"invalid UTF-8":        withMembers("\"x\":\"\xff\"", ok),
			"overlong UTF-8":       withMembers("\"x\":\"\xc0\xaf\"", ok),
			"surrogate in UTF-8":   withMembers("\"x\":\"\xed\xa0\x80\"", ok),
			"lone surrogate model": strings.Replace(ok, `"`+to.model+`"`, `"chat/\ud800"`, 1),
			"control in model":     strings.Replace(ok, `"`+to.model+`"`, `"chat/a\r\nX-Evil: y"`, 1),
			"NUL in model":         strings.Replace(ok, `"`+to.model+`"`, `"chat/\u0000"`, 1),
			"escape in model":      strings.Replace(ok, `"`+to.model+`"`, `"claude/\u001b[31m"`, 1),
			"bidi in model":        strings.Replace(ok, `"`+to.model+`"`, `"claude/a\u202eb"`, 1),
			"model of 1 MiB":       strings.Replace(ok, `"`+to.model+`"`, `"chat/`+strings.Repeat("m", 1<<20)+`"`, 1),
			"depth 129":            withMembers(`"x":`+strings.Repeat("[", 128)+strings.Repeat("]", 128), ok),
		} {
			h.wantError(name+" to "+to.path+" for "+to.model, to.path, h.post(to.path, body), 400, 404)
		}
	}
	h.wantNothingSent()
	// What is only odd passes, byte for byte.
	odd := `"metadata":{"a":"\u0000 \ud83d\ude00 ` + "\u202e\u2028" + `","b":1.0e2},"x-unknown":` + strings.Repeat("[", 126) + strings.Repeat("]", 126)
	if a := h.post(chatPath, withMembers(odd, ask("chat/small", false))); a.err != nil || !bytes.Contains(h.chat.Last().Body, []byte(odd)) {
		t.Errorf("got %d and %.200s, want the odd members at the vendor as they are", a.status, a.body)
	}
}

func TestAttackS43S44Cost(t *testing.T) {
	alone(t)
	h := openHouse(t, standard)
	ok := ask("claude/small", false)
	many := func(n int, f string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, f+",", i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for name, test := range map[string]struct {
		body     string
		statuses []int
	}{
		"depth of a million":     {strings.Repeat("[", 1_000_000), []int{400}},
		"depth of a million, {}": {strings.Repeat(`{"a":`, 200_000), []int{400}},
		"100,000 keys":           {withMembers(many(100_000, `"k%d":0`), ok), []int{200, 400}},
		"keys that collide":      {withMembers(many(30_000, `"`+strings.Repeat("k", 20)+`%d":0`), ok), []int{200, 400}},
		"keys folded":            {withMembers(many(60_000, `"ſK%d":0`), ok), []int{200, 400}},
		"one key 100,000 times":  {withMembers(strings.Repeat(`"a":0,`, 100_000)+`"b":0`, ok), []int{400}},
		"digits":                 {withMembers(`"temperature":`+strings.Repeat("9", 1_000_000), ok), []int{400, 200}},
		"exponent":               {withMembers(`"temperature":1e`+strings.Repeat("9", 100_000), ok), []int{400, 200}},
		"escapes":                {withMembers(`"user":"`+strings.Repeat(`\u0041`, 200_000)+`"`, ok), []int{200, 400}},
		"100,000 messages":       {strings.Replace(ok, `"messages":[`, `"messages":[`+strings.Repeat(`{"role":"user","content":"x"},`, 50_000), 1), []int{200, 400, 413}},
		"100,000 strings":        {withMembers(`"stop":["`+strings.Repeat(`a","`, 100_000)+`b"]`, ok), []int{200, 400}},
		"numbers":                {withMembers(`"x":[`+strings.Repeat("1,", 500_000)+`1]`, ok), []int{200, 400}},
	} {
		// A tenth of a second for each MiB, with slack for the machine and the vendor.
		limit := 700*time.Millisecond + time.Duration(len(test.body))*300*time.Millisecond/(1<<20)
		took := patience
		for try := 0; try < 5 && took > limit; try++ { // other work of the machine makes some longer, and not all
			var a got
			took = min(took, h.cost(func() { a = h.post(chatPath, test.body) }))
			if !slices.Contains(test.statuses, a.status) {
				t.Errorf("%s: got %d and %.200s (%v), want %v", name, a.status, a.body, a.err, test.statuses)
			}
		}
		if took > limit {
			t.Errorf("%s: got %v for %d bytes, want at most %v", name, took, len(test.body), limit)
		}
		t.Logf("%s: %d bytes in %v", name, len(test.body), took)
	}
}

func TestAttackS45Numbers(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	for _, path := range []string{chatPath, messagesPath} {
		model := map[string]string{chatPath: "claude/small", messagesPath: "chat/small"}[path]
		for _, v := range []string{"-1", "1e308", "9223372036854775808", `"5"`, "[]", "{}", "true", "1.5", "-0.5", "1e-3"} {
			body := strings.Replace(ask(model, false), `"max_tokens":500`, `"max_tokens":`+v, 1)
			h.wantError("max_tokens "+v+" to "+path, path, h.post(path, body), 400)
		}
	}
	for _, seen := range append(h.chat.Requests(), h.claude.Requests()...) {
		var body struct{ MaxTokens *float64 }
		if err := json.Unmarshal(seen.Body, &body); err != nil || body.MaxTokens != nil && *body.MaxTokens <= 0 {
			t.Errorf("got %.200s at the vendor, want no such limit", seen.Body)
		}
	}
}

func TestAttackS48S49Encodings(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard+"limits: {body: 4MiB}\n")
	plain := ask("assistant", false)
	zip := func(b []byte) string {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, _ = z.Write(b)
		_ = z.Close()
		return out.String()
	}
	wantWhole(t, "gzip", h.post(chatPath, zip([]byte(plain)), "Content-Encoding", "gzip"), "Where is Ada?")
	wantWhole(t, "GZIP", h.post(chatPath, zip([]byte(plain)), "Content-Encoding", "GZIP"), "Where is Ada?")
	wantWhole(t, "text/plain", h.post(chatPath, plain, "Content-Type", "text/plain"), "Where is Ada?")
	n := h.seen()
	for name, test := range map[string]struct {
		body, encoding string
		statuses       []int
	}{
		"bomb":              {zip(make([]byte, 64<<20)), "gzip", []int{413}},
		"nested":            {zip([]byte(zip([]byte(plain)))), "gzip", []int{400}},
		"nested and said":   {zip([]byte(zip([]byte(plain)))), "gzip, gzip", []int{415}},
		"br":                {plain, "br", []int{415}},
		"zstd":              {plain, "zstd", []int{415}},
		"deflate":           {plain, "deflate", []int{415}},
		"mislabelled":       {plain, "gzip", []int{400}},
		"cut":               {zip([]byte(plain))[:60], "gzip", []int{400}},
		"garbage behind":    {zip([]byte(plain)) + "garbage", "gzip", []int{400}},
		"many empty parts":  {strings.Repeat(zip(nil), 100_000), "gzip", []int{400}},
		"more than allowed": {strings.Repeat(" ", 5<<20), "", []int{413}},
	} {
		a := h.post(chatPath, test.body, "Content-Encoding", test.encoding)
		h.wantError(name, chatPath, a, test.statuses...)
	}
	for name, contentType := range map[string]string{
		"multipart": "multipart/form-data; boundary=x", "long boundary": "multipart/form-data; boundary=" + strings.Repeat("b", 20<<10),
	} {
		h.wantError(name, chatPath, h.post(chatPath, plain, "Content-Type", contentType), 415)
	}
	if h.seen() != n {
		t.Errorf("got %d more requests at the vendors, want none", h.seen()-n)
	}
}

// TestAttackS51ModelOutput: what the model says cannot form an event, in no API.
func TestAttackS51ModelOutput(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	hostile := "one\n\ndata: [DONE]\n\nevent: error\ndata: {}\r\rid: 7\rretry: 0\r\n\r\n: comment\n\nevent: message_stop\n\u2028\u2029\u0085 two"
	for _, to := range []struct {
		path, model string
		vendor      *fakeprovider.Server
	}{
		{chatPath, "chat/small", h.chat},
		{chatPath, "claude/small", h.claude},
		{messagesPath, "claude/small", h.claude},
		{messagesPath, "chat/small", h.chat},
	} {
		reply := fakeprovider.Reply{
			Thinking: hostile, Parts: []string{hostile, "\n\ndata: [DONE]\n\n", hostile},
			ToolCalls: []fakeprovider.ToolCall{{Name: "look\n\nup", ID: "call_\n\ndata: x", Arguments: `{"a":"\n\ndata: [DONE]\n\n"}`}},
			Citations: []fakeprovider.Citation{{URL: "https://x/\n\nevent: error", Title: "a\rb", Quote: "\n\ndata: y"}},
		}
		to.vendor.Enqueue(reply)
		a := h.post(to.path, ask(to.model, true))
		if a.status != http.StatusOK || a.err != nil {
			t.Errorf("%s from %s: got %d and %.300s (%v)", to.path, to.model, a.status, a.body, a.err)
			continue
		}
		if strings.Contains(a.body, "\r") || strings.Count(a.body, "\ndata: [DONE]") > 1 || strings.Contains(a.body, "\nid:") || strings.Contains(a.body, "\nretry:") {
			t.Errorf("%s from %s: got a stream with injected lines:\n%.2000q", to.path, to.model, a.body)
		}
		for _, block := range strings.Split(strings.TrimSpace(a.body), "\n\n") {
			for _, line := range strings.Split(block, "\n") {
				data, isData := strings.CutPrefix(line, "data: ")
				switch {
				case isData && (data == "[DONE]" || json.Valid([]byte(data))):
				case strings.HasPrefix(line, "event: ") && !strings.Contains(line, "error"):
				case line == ": keep-alive": // for the vendor's ping
				default:
					t.Errorf("%s from %s: got line %.200q, want only whole events", to.path, to.model, line)
				}
			}
		}
	}
}

// TestAttackS52S53Logs: what a client sends can neither form a line of the log or a
// header nor fill them.
func TestAttackS52S53Logs(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	long := strings.Repeat("m", 1<<20)
	for _, model := range []string{`a\r\nX-Evil: y`, `nobody\n{\"level\":\"ERROR\",\"msg\":\"forged\"}`, `\u001b[2J`, long, "chat/" + long, `\ud800`, `chat/\u009b31m`} {
		for _, path := range []string{chatPath, messagesPath} {
			a := h.post(path, strings.Replace(ask("M", false), `"M"`, `"`+model+`"`, 1))
			h.wantError(fmt.Sprintf("model %.40q", model), path, a, 400, 404)
			if a.header.Get("X-Evil") != "" || strings.ContainsAny(a.body, "\x1b\r") {
				t.Errorf("model %.40q: got %v and %.300q, want it escaped", model, a.header, a.body)
			}
		}
	}
	h.wantNothingSent()
	// Members that only one API has are named in X-Understudy-Loss.
	members := `"a\r\nX-Evil: y":1,"\u0000\u001b[31m":2,"é":3,"` + strings.Repeat("k", 100<<10) + `":4`
	a := h.post(chatPath, withMembers(members, ask("claude/small", false)))
	wantWhole(t, "odd members", a, "Where is Ada?")
	loss := a.header.Get("X-Understudy-Loss")
	if a.header.Get("X-Evil") != "" || loss == "" || len(loss) > 4<<10 || strings.ContainsFunc(loss, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		t.Errorf("got losses of %d bytes: %.300q, want them short and plain", len(loss), loss)
	}
	h.raw(request(chatPath+"%0a{\"forged\":1}%1b[2J", "User-Agent: "+strings.Repeat("u", 20<<10)+"\r\nX-Request-Id: a\x1b[31m\r\n", "{}"))
	h.raw("GARBAGE\x1b[31m \r\n\r\n")
	h.stop()
	for _, line := range strings.Split(strings.TrimSpace(h.log.all()), "\n") {
		var entry struct{ Time, Level, Msg string }
		switch err := json.Unmarshal([]byte(line), &entry); {
		case err != nil || entry.Time == "" || entry.Msg == "":
			t.Errorf("got %.200q in the log, want only its own lines", line)
		case entry.Msg == "forged" || len(line) > 8<<10 || strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 }):
			t.Errorf("got a line of %d bytes in the log: %.200q, want it escaped and short", len(line), line)
		}
	}
}

func TestAttackNarrowingHeaders(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	for name, values := range map[string][]string{
		"X-Understudy-Loss":     {"none", "STRICT", "strict, lenient", "\u00e9", strings.Repeat("x", 10<<10), "0"},
		"X-Understudy-Fallback": {"no", "0", "false", "OFF", "off,on", strings.Repeat("x", 10<<10)},
		"X-Understudy-Timeout":  {"0", "-1s", "30", "1e9h", "NaN", "99999999999h", "1s2", " ", "∞", strings.Repeat("9", 1<<10) + "s"},
	} {
		for _, v := range values {
			if strings.TrimSpace(v) == "" {
				continue // an empty value is none
			}
			for _, path := range []string{chatPath, messagesPath} {
				h.wantError(fmt.Sprintf("%s: %.20q", name, v), path, h.post(path, ask("assistant", false), name, v), 400)
			}
		}
	}
	for name, pair := range map[string][2]string{
		"X-Understudy-Loss": {"strict", "lenient"}, "X-Understudy-Fallback": {"on", "off"}, "X-Understudy-Timeout": {"10m", "1s"},
	} {
		h.wantError(name+" twice", chatPath, h.post(chatPath, ask("assistant", false), name, pair[0], name, pair[1]), 400)
	}
	h.wantNothingSent()
	a := h.post(chatPath, ask("chat/small+first-500ms", false), "X-Understudy-Timeout", "50ms")
	h.wantError("50ms", chatPath, a, 504)
	a = h.post(chatPath, ask("assistant", false), "X-Understudy-Timeout", "1h", "X-Understudy-Loss", "lenient", "X-Understudy-Nonsense", "\"", "X-Understudy-Call", "call_mine", "X-Request-Id", "mine")
	wantWhole(t, "widening", a, "Where is Ada?")
	if id := a.header.Get("X-Understudy-Call"); id == "call_mine" || a.header.Get("X-Request-Id") == "mine" {
		t.Errorf("got the call id %q, want our own", id)
	}
}
