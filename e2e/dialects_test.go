//go:build linux

package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// dialectFault is a fault that only vendors of one dialect can have, and what becomes of the attempt that meets it.
type dialectFault struct {
	row, name string
	stream    bool
	code      string // of the attempt in the log
	isRescued bool
	isBroken  bool // the answer ends in an error: what has come of it cannot be told from what has not
}

var dialectFaults = []dialectFault{
	{row: "B4", name: "key", code: "provider_auth"},
	{row: "B4", name: "key", code: "provider_auth", stream: true},
	{row: "D32", name: "checksum-0", code: "bad_answer", stream: true},
	{row: "D32", name: "checksum-5", code: "bad_answer", stream: true, isBroken: true},
	{row: "D32", name: "modelStreamErrorException-0", code: "server_error", stream: true},
	{row: "D32", name: "modelStreamErrorException-5", code: "server_error", stream: true, isRescued: true},
	{row: "D32", name: "throttlingException-0", code: "rate_limit", stream: true},
	{row: "D32", name: "throttlingException-5", code: "rate_limit", stream: true, isRescued: true},
}

// TestFaultsOfDialects is what the catalogue has of vendors that speak a dialect of their own, through the binary, for
// clients of three APIs: Gemini says with 400 that a key is none, which is asked with no more then (B4), and AWS's event
// stream has a checksum that is wrong, or an exception, before there is any text and amid it (D32).
func TestFaultsOfDialects(t *testing.T) {
	t.Parallel()
	var providers, models strings.Builder
	var vendor string
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { spoil(t, vendor, w, r) }))
	t.Cleanup(aws.Close)
	id := func(c faultClient, f dialectFault) string { return fmt.Sprintf("%s-%s-%v", c.name, f.name, f.stream) }
	for _, c := range faultClients {
		for _, f := range dialectFaults {
			lead := fmt.Sprintf(`{use: bedrock, base_url: "%s/%s", key: env:TEST_KEY}`, aws.URL, f.name)
			if f.row == "B4" {
				lead = `{use: gemini, base_url: "$CHAT", key: env:WRONG_KEY}`
			}
			fmt.Fprintf(&providers, "  %s: %s\n", id(c, f), lead)
			fmt.Fprintf(&models, "  %s: {lead: %s/small, understudies: [%s/small]}\n", id(c, f), id(c, f), c.understudy)
		}
	}
	h := buildHouse(t, providers.String()+"models:\n"+models.String(), "WRONG_KEY=sk-nobody")
	vendor = h.chat.RootURL()
	h.start()
	var all sync.WaitGroup
	for _, c := range faultClients {
		for _, f := range dialectFaults {
			all.Go(func() {
				by, said, end := c.understudy+"/small", saidOfTheSea, "clean"
				if f.isRescued || f.isBroken {
					by = id(c, f) + "/small"
				}
				if f.isBroken {
					said, end = "You said: Say something ", "error"
				}
				a := h.post(c.path, c.ask(id(c, f), f.stream))
				text := textOf(a.body, f.stream)
				if a.err != nil || a.status != 200 || f.stream && endOf(c.path, a.body) != end || text != said ||
					a.header.Get("X-Understudy-Target") != by || strings.Contains(a.body, ": understudy rescue ") != f.isRescued {
					t.Errorf("%s %s: got %d by %s with %q and %v, want %q by %s and an end that is %s; rescued: %v", f.row, id(c, f), a.status,
						a.header.Get("X-Understudy-Target"), text, a.err, said, by, end, f.isRescued)
				}
				if f.row == "B4" { // and again
					wantWhole(t, f.row, h.post(c.path, c.ask(id(c, f), false)), saidOfTheSea)
				}
			})
		}
	}
	all.Wait()
	h.stop()
	logged := map[string][]string{}
	for line := range strings.Lines(h.log.all()) {
		var said struct{ Msg, Provider, Code string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "attempt failed" {
			logged[said.Provider] = append(logged[said.Provider], said.Code)
		}
	}
	for _, c := range faultClients {
		for _, f := range dialectFaults {
			if got := strings.Join(logged[id(c, f)], " "); got != f.code {
				t.Errorf("%s %s: got attempts that failed by %q, want one by %s", f.row, id(c, f), got, f.code)
			}
		}
	}
}

// spoil answers as a vendor of AWS's event stream does that has a fault after so many messages; the path begins with both.
func spoil(t *testing.T, vendor string, w http.ResponseWriter, r *http.Request) {
	fault, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var kind string
	var whole int
	if i := strings.LastIndexByte(fault, '-'); i >= 0 {
		kind = fault[:i]
		_, _ = fmt.Sscan(fault[i+1:], &whole)
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, vendor+"/"+path, r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header = r.Header
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer answer.Body.Close()
	rest, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	for ; len(rest) >= 12; whole-- {
		message := rest[:binary.BigEndian.Uint32(rest)]
		if whole == 0 {
			message = bytes.Clone(message)
			message[len(message)-1] ^= 1 // of its checksum
			if kind != "checksum" {
				message = exception(kind)
			}
			_, _ = w.Write(message)
			return
		}
		_, _ = w.Write(message)
		rest = rest[len(message):]
	}
	t.Errorf("%s: got an answer that ended before, want one to spoil: %d %.200q", fault, answer.StatusCode, rest)
}

// exception is a message of AWS's event stream that says what went wrong.
func exception(kind string) []byte {
	var headers []byte
	for _, h := range [][2]string{{":exception-type", kind}, {":content-type", "application/json"}, {":message-type", "exception"}} {
		headers = append(append(append(headers, byte(len(h[0]))), h[0]...), 7, 0, byte(len(h[1])))
		headers = append(headers, h[1]...)
	}
	const payload = `{"message":"It went wrong."}`
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}
