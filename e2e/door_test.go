//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// few launches a gateway that may have so many files open: half of them are for clients.
func (h *house) few(files int) {
	h.t.Helper()
	h.launch("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, files))
	h.wantServing()
}

// models asks for the list of models on a connection that is kept, and reports whether there was an answer.
func models(conn net.Conn, r *bufio.Reader) bool {
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n") // it is read what became of it
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}

// TestNoRoomIsSaidInWords: with as many connections as may be, a client is refused as its API refuses, with the call's id, also
// one that reads nothing before it has sent a large body. So many at a time; others, too, are told when to come back.
func TestNoRoomIsSaidInWords(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, standard)
	const files = 200
	const most, told = files / 2, files / 2 / 8
	h.few(files)
	for range most { // that are asking
		conn, _ := h.fresh()
		defer conn.Close()
		_, _ = io.WriteString(conn, "POST "+chatPath+" HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{")
	}
	eventuallyIs(t, patience, "connections on which nothing runs", 0, 0, func() int { return most - int(h.metric("understudy_calls_running")) })
	large := strings.Replace(ask("assistant", false), "Ada", strings.Repeat("Ada", 1<<20), 1)
	for path, want := range map[string]struct {
		status int
		words  string
	}{
		chatPath:                               {503, `"code":"overloaded"`},
		messagesPath:                           {529, `"type":"overloaded_error"`},
		"/v1beta/models/small:generateContent": {503, `"status":"UNAVAILABLE"`},
		"/nothing":                             {404, `"error"`},
	} {
		a := h.postAlone(path, large)
		if a.err != nil || a.status != want.status || !strings.Contains(a.body, want.words) || a.header.Get("X-Understudy-Call") == "" ||
			want.status != 404 && a.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d, %v, %v and %.300s, want %d with %s, an id and when to come back", path, a.status, a.err, a.header, a.body, want.status, want.words)
		}
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	two := http.Client{Transport: &http.Transport{Protocols: &protocols}, Timeout: patience}
	resp, err := two.Post(h.url+"/model/small/converse", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if kind := resp.Header.Get("X-Amzn-Errortype"); resp.StatusCode != 503 || kind == "" || resp.ProtoMajor != 2 {
		t.Errorf("by HTTP/2: got %d and %q, want it refused in Bedrock's form", resp.StatusCode, kind)
	}
	answers := make(chan string, told+1)
	for range told + 1 { // that say nothing
		conn, r := h.fresh()
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		go func() {
			if answer, _ := io.ReadAll(r); len(answer) > 0 {
				answers <- string(answer)
			}
		}()
	}
	if answer := <-answers; status(answer) != 503 || !strings.Contains(answer, "Retry-After: 1\r\n") {
		t.Errorf("with no room to be told: got %q, want 503 and when to come back", answer)
	}
	if got, want := h.metric("understudy_connections_turned_away_total"), 4+1+told+1; int(got) != want {
		t.Errorf("got %v connections turned away, want %d", got, want)
	}
}

// TestIdleConnectionsMakeRoom keeps as many connections as may be. A client that comes then has the place of the one that was
// unused for longest; none is closed on which anything runs, or was begun to be asked.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, standard)
	h.few(60)
	oldest, oldestReader := h.fresh()
	defer oldest.Close()
	if !models(oldest, oldestReader) {
		t.Fatal("got no answer, want one")
	}
	lines := h.stream(ask("chat/small+chunks-30+delay-50ms", true), "running")
	until(t, lines, `"content":`, 2)
	begun, begunReader := h.fresh()
	defer begun.Close()
	_, _ = io.WriteString(begun, "GET /v1/models HTTP/1.1\r\nHo")
	type kept struct {
		net.Conn
		r *bufio.Reader
	}
	var others []kept
	for range 27 {
		conn, r := h.fresh()
		defer conn.Close()
		if !models(conn, r) {
			t.Fatal("got no answer, want one")
		}
		others = append(others, kept{conn, r})
	}
	time.Sleep(600 * time.Millisecond) // until they are idle
	wantWhole(t, "with idle connections", h.postAlone(chatPath, ask("assistant", false)), "Where is Ada?")
	if _, err := oldestReader.ReadByte(); err != io.EOF {
		t.Errorf("got %v from the connection that was unused for longest, want its end", err)
	}
	_, _ = io.WriteString(begun, "st: x\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(begunReader); status(string(answer)) != 200 {
		t.Errorf("got %.100q, %v for a request that was half sent, want it answered", answer, err)
	}
	for i, conn := range others {
		if !models(conn, conn.r) {
			t.Errorf("got connection %d closed, want only the one that was unused for longest", i)
		}
	}
	until(t, lines, "[DONE]", 1)
}

// TestIdleConnectionsGiveWayToFiles: as TestIdleConnectionsMakeRoom, where it is files that lack, for clients and for a vendor.
func TestIdleConnectionsGiveWayToFiles(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, standard)
	for range 20 { // that the gateway has open for nothing
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h.files = append(h.files, f)
	}
	h.few(60)
	var all sync.WaitGroup
	for range 40 {
		conn, r := h.fresh()
		defer conn.Close()
		all.Go(func() {
			if !models(conn, r) {
				t.Error("got no answer, want one")
			}
		})
	}
	all.Wait()
	time.Sleep(600 * time.Millisecond) // until they are idle
	for range 8 {
		all.Go(func() {
			wantWhole(t, "in the end", h.postAlone(chatPath, ask("chat/small+first-200ms", false)), "Where is Ada?")
		})
	}
	all.Wait()
	if n := h.metric("understudy_local_faults_total"); n != 0 {
		t.Errorf("got %v faults for want of files, want none", n)
	}
}
