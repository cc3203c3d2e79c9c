//go:build unix

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Frames of HTTP/2 and their flags (RFC 9113 section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	framePriority     = 0x2
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameWindowUpdate = 0x8
	frameContinuation = 0x9
	flagEndStream     = 0x1
	flagEndHeaders    = 0x4
)

func frame(kind, flags byte, stream uint32, payload string) []byte {
	b := make([]byte, 0, 9+len(payload))
	b = append(b, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// fields are headers as HTTP/2 has them, each in full and in no table (RFC 7541 section 6.2.2).
func fields(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteByte(0)
		for _, s := range pairs[i : i+2] {
			if len(s) < 127 {
				b.WriteByte(byte(len(s)))
			} else {
				b.WriteByte(127)
				n := len(s) - 127
				for ; n >= 128; n >>= 7 {
					b.WriteByte(byte(n) | 128)
				}
				b.WriteByte(byte(n))
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

func call(path string, more ...string) string {
	return fields(append([]string{":method", "POST", ":scheme", "http", ":authority", "gateway", ":path", path, "content-type", "application/json"}, more...)...)
}

// http2 opens a connection that speaks HTTP/2 from its first byte on. What comes is read if anybody reads.
func (h *house) http2(reads bool) (conn net.Conn, ended <-chan string) {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+string(frame(frameSettings, 0, 0, "")))
	over := make(chan string, 1)
	if reads {
		go func() {
			_, err := io.Copy(io.Discard, conn)
			over <- fmt.Sprint(err)
		}()
	}
	return conn, over
}

// flood writes what next gives until the other side has had enough, n times at most, and returns how often.
func flood(conn net.Conn, n int, next func(i int) []byte) int {
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	var batch []byte
	for i := range n {
		batch = append(batch, next(i)...)
		if len(batch) > 32<<10 || i == n-1 {
			if _, err := conn.Write(batch); err != nil {
				return i
			}
			batch = batch[:0]
		}
	}
	return n
}

// spent is the CPU time that the gateway has used.
func (h *house) spent() time.Duration {
	h.t.Helper()
	spent, ok := h.cpu()
	if !ok {
		h.t.Skip("skipped: the CPU time of another process is read on Linux only, where `.ci/run` reads it")
	}
	return spent
}

// cost is what something costs the gateway: its CPU time, which other work of the machine does not make longer, or the
// time where that is not to be had.
func (h *house) cost(work func()) time.Duration {
	before, ok := h.cpu()
	begun := time.Now()
	work()
	if !ok {
		return time.Since(begun)
	}
	after, _ := h.cpu()
	return after - before
}

func (h *house) cpu() (spent time.Duration, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.process.Pid))
	if err != nil {
		return 0, false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	words := strings.Fields(after) // from the third field of proc(5) on
	user, _ := strconv.Atoi(words[11])
	system, _ := strconv.Atoi(words[12])
	return time.Duration(user+system) * 10 * time.Millisecond, true
}

// TestAttackS64RapidReset opens streams and resets them at once, before and after their bodies are there.
func TestAttackS64RapidReset(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	body := ask("assistant", false)
	h.post(chatPath, body) // the first of everything costs more
	running := func() int { return int(h.metric("understudy_calls_running")) }
	for _, whole := range []bool{false, true} {
		name := map[bool]string{false: "before the body", true: "after it"}[whole]
		const resets = 50_000
		h.chat.Forget()
		before := h.spent()
		conn, ended := h.http2(true)
		sent := flood(conn, resets, func(i int) []byte {
			stream := uint32(2*i + 1)
			b := frame(frameHeaders, flagEndHeaders, stream, call(chatPath))
			if whole {
				b = append(b, frame(frameData, flagEndStream, stream, body)...)
			}
			return append(b, frame(frameReset, 0, stream, "\x00\x00\x00\x08")...)
		})
		var why string
		select {
		case why = <-ended:
		case <-time.After(patience):
		}
		conn.Close()
		time.Sleep(200 * time.Millisecond) // for what still comes in
		eventuallyIs(t, patience/5, "calls that run", 0, 0, running)
		spent := h.spent() - before
		t.Logf("%s: %d resets sent, %v of CPU, %d requests at the vendor, ended by %s", name, sent, spent, h.seen(), why)
		if limit := time.Duration(sent)*time.Second/100_000 + 300*time.Millisecond; spent > limit {
			t.Errorf("%s: got %v of CPU for %d resets, want at most %v", name, spent, sent, limit)
		}
		if !whole && h.seen() != 0 {
			t.Errorf("%s: got %d requests at the vendor, want none", name, h.seen())
		}
		if h.seen() > 1000 {
			t.Errorf("%s: got %d requests at the vendor for %d streams that were reset, want few", name, h.seen(), sent)
		}
		if why == "" && sent == resets {
			t.Errorf("%s: got the connection open after %d resets, want it closed", name, sent)
		}
		wantWhole(t, "afterwards", h.post(chatPath, body), "Where is Ada?")
	}
}

// TestAttackS65Floods sends frames that cost the sender little, for as long as they are taken.
func TestAttackS65Floods(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard+"limits: {body_timeout: 2s}\n")
	body := ask("assistant", false)
	one, long := uint32(1), swept(300_000, 100_000)
	head := frame(frameHeaders, flagEndHeaders, one, call(chatPath))
	for _, test := range []struct {
		name  string
		reads bool
		first []byte
		next  func(i int) []byte
		n     int
		ends  bool // the connection has to
	}{
		{"headers without an end", true, frame(frameHeaders, 0, one, call(chatPath)), func(i int) []byte {
			return frame(frameContinuation, 0, one, fields("x-a"+strconv.Itoa(i), strings.Repeat("b", 1000)))
		}, 100_000, true},
		{"empty continuations", true, frame(frameHeaders, 0, one, call(chatPath)), func(int) []byte {
			return frame(frameContinuation, 0, one, "")
		}, long, false},
		{"pings that nobody reads", false, nil, func(int) []byte { return frame(framePing, 0, 0, "12345678") }, 1_000_000, true},
		{"settings that nobody reads", false, nil, func(int) []byte { return frame(frameSettings, 0, 0, "\x00\x04\x00\x00\xff\xff") }, long, false},
		{"pings", true, nil, func(int) []byte { return frame(framePing, 0, 0, "12345678") }, long, false},
		{"priorities", true, nil, func(i int) []byte { return frame(framePriority, 0, uint32(2*i+1), "\x00\x00\x00\x00\x01") }, 5 * long / 3, false},
		{"empty data", true, head, func(int) []byte { return frame(frameData, 0, one, "") }, long, false},
		{"windows", true, head, func(int) []byte { return frame(frameWindowUpdate, 0, 0, "\x00\x00\x00\x01") }, long, false},
		{"windows that overflow", true, head, func(int) []byte { return frame(frameWindowUpdate, 0, 0, "\x7f\xff\xff\xff") }, 100, true},
		{"unknown frames", true, head, func(int) []byte { return frame(0xfa, 0xff, 7, "x") }, long, false},
		{"a frame that is too long", true, nil, func(int) []byte { return frame(framePing, 0, 0, strings.Repeat("x", 1<<20)) }, 10, true},
		{"even streams", true, nil, func(i int) []byte { return frame(frameHeaders, flagEndHeaders, uint32(2*i+2), call(chatPath)) }, 10_000, true},
	} {
		before, begin := h.spent(), time.Now()
		conn, _ := h.http2(test.reads)
		_, _ = conn.Write(test.first)
		var others sync.WaitGroup
		stop := make(chan struct{})
		others.Go(func() { // who is served meanwhile
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					wantWhole(t, "beside "+test.name, h.post(chatPath, body), "Where is Ada?")
				}
			}
		})
		sent := flood(conn, test.n, test.next)
		if test.ends && sent == test.n {
			_ = conn.SetWriteDeadline(time.Now().Add(patience))
			for range 3000 { // it may have been told of its end, and not yet be closed
				if _, err := conn.Write(frame(framePing, 0, 0, "12345678")); err != nil {
					sent = -1
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			if sent == test.n {
				t.Errorf("%s: got all %d taken, want the connection closed", test.name, sent)
			}
		}
		conn.Close()
		close(stop)
		others.Wait()
		t.Logf("%s: %d taken in %v, %v of CPU", test.name, sent, time.Since(begin).Round(time.Millisecond), h.spent()-before)
	}
	if peak := peakMemory(t, h); peak > 300<<20 {
		t.Errorf("got %d MiB of memory used, want at most 300", peak>>20)
	}
}

// TestAttackS2S5S7S8S62ByHTTP2 asks by HTTP/2 for what is refused in HTTP/1.1.
func TestAttackS2S5S7S8S62ByHTTP2(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	body := ask("assistant", false)
	for name, test := range map[string]struct {
		head  string
		wants string // of the status, as it is said in the first byte of the headers; or the frame that comes instead
	}{
		"a good call":            {call(chatPath), "200"},
		"another path":           {call("//v1/chat/completions"), "404"},
		"a climb":                {call("/v1/../v1/chat/completions"), "404"},
		"a path without a slash": {call("v1/chat/completions"), "reset"},
		"no path":                {fields(":method", "POST", ":scheme", "http", ":authority", "x"), "reset"},
		"two paths":              {call(chatPath, ":path", "/admin"), "reset"},
		"a name in capitals":     {call(chatPath, "X-A", "b"), "reset"},
		"a line end in a value":  {call(chatPath, "x-a", "b\r\nx-c: d"), "reset"},
		"a NUL in a value":       {call(chatPath, "x-a", "b\x00"), "reset"},
		"a colon in a name":      {call(chatPath, "x:a", "b"), "reset"},
		"a length too short":     {call(chatPath, "content-length", "5"), "reset"},
		"a length too long":      {call(chatPath, "content-length", "5000"), "400 reset"},
		"two lengths":            {call(chatPath, "content-length", strconv.Itoa(len(body)), "content-length", "5"), "200 400 reset"}, // frames say how long a body is
		"a connection's header":  {call(chatPath, "connection", "x-api-key"), "400 reset"},
		"an encoding":            {call(chatPath, "transfer-encoding", "chunked"), "400 reset"},
		"headers of 40 KiB":      {call(chatPath, "x-a", strings.Repeat("b", 15<<10), "x-b", strings.Repeat("b", 1<<10)), "200 431"},
	} {
		conn, err := net.Dial("tcp", h.address)
		if err != nil {
			t.Fatal(err)
		}
		n := h.seen()
		_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+string(frame(frameSettings, 0, 0, ""))+
			string(frame(frameHeaders, flagEndHeaders, 1, test.head))+string(frame(frameData, flagEndStream, 1, body)))
		got := firstOf(conn)
		conn.Close()
		if !strings.Contains(test.wants, got) || got == "" {
			t.Errorf("%s: got %q, want %q", name, got, test.wants)
		}
		if asked := h.seen() - n; asked > 0 && got != "200" {
			t.Errorf("%s: got %d requests at the vendor, want none", name, asked)
		}
	}
}

// firstOf says what comes first of a stream: the status, as HPACK's static table has it or in full, or its reset.
func firstOf(conn net.Conn) string {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	statuses := map[byte]string{0x88: "200", 0x8c: "400", 0x8d: "404", 0x8e: "500"} // RFC 7541 appendix A
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return "reset" // of everything
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(conn, payload); err != nil {
			return "reset"
		}
		const goAway = 0x7
		switch head[3] {
		case goAway:
			if binary.BigEndian.Uint32(payload[4:]) != 0 { // else an answer may still come
				return "reset"
			}
		case frameReset:
			return "reset"
		case frameHeaders:
			if s, ok := statuses[payload[0]]; ok {
				return s
			}
			return "431" // the only one that is not in the table
		}
	}
}
