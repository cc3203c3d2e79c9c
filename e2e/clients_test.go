//go:build unix

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestFaultsOfClients is what the catalogue has of clients, through the binary, for those of three APIs: one that leaves
// before it has anything (G2), amid its answer (G3), or when it has all but the usage (G4), one that speaks HTTP/1.0 (G7), one
// whose request comes byte by byte (G8), and one whose answer lasts longer than a write may (G10). Vendors are left at once
// and are not to blame, nobody else is asked, and the books have it all.
func TestFaultsOfClients(t *testing.T) {
	t.Parallel()
	var models strings.Builder
	for _, c := range faultClients {
		for row, markers := range map[string]string{"g2": "+first-30s", "g3": "+chunks-400+delay-100ms", "g7": "", "g10": "+chunks-12+delay-250ms"} {
			fmt.Fprintf(&models, "  %s-%s: {lead: %s/%s-%s%s, understudies: [%s/small]}\n", c.name, row, c.lead, c.name, row, markers, c.understudy)
		}
	}
	wide := sayAndWait(t)
	h := openHouse(t, fmt.Sprintf("  wide: {base_url: %q, key: env:TEST_KEY, auth: bearer, dialects: {openai-chat: /v1/chat/completions}}\n", wide)+
		"limits: {write_timeout: 1s, body_timeout: 1s}\nmodels:\n"+models.String())
	vendor := func(c faultClient) *fakeprovider.Server {
		if c.lead == "claude" {
			return h.claude
		}
		return h.chat
	}
	// exchanges are those that a client's row has at its vendor.
	exchanges := func(c faultClient, row string) (list []fakeprovider.Seen) {
		for _, e := range vendor(c).Requests() {
			if strings.HasPrefix(e.Model, c.name+"-"+row) {
				list = append(list, e)
			}
		}
		return list
	}
	soon := func(what string, is func() bool) {
		for deadline := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("got no end of waiting, want %s", what)
				return
			}
		}
	}
	var all sync.WaitGroup
	for _, c := range faultClients {
		all.Go(func() {
			for i, stream := range []bool{false, true} { // G2
				h.leave(c, c.ask(c.name+"-g2", stream), func(io.Reader) {
					soon("the vendor to be asked", func() bool { return len(exchanges(c, "g2")) == i+1 })
				})
				left := time.Now()
				soon("the vendor to be left", func() bool { return !exchanges(c, "g2")[i].Cancelled.IsZero() })
				if took := exchanges(c, "g2")[i].Cancelled.Sub(left); took > 2*time.Second {
					t.Errorf("G2 %s, stream %v: the vendor was left after %v, want at once", c.name, stream, took)
				}
			}
		})
		all.Go(func() { // G3
			h.leave(c, c.ask(c.name+"-g3", true), func(body io.Reader) {
				lines := bufio.NewScanner(body)
				for text := 0; text < 5 && lines.Scan(); {
					if strings.Contains(lines.Text(), `delta`) {
						text++
					}
				}
			})
			left := time.Now()
			soon("the vendor to be left", func() bool { return !exchanges(c, "g3")[0].Cancelled.IsZero() })
			if took := exchanges(c, "g3")[0].Cancelled.Sub(left); took > 2*time.Second {
				t.Errorf("G3 %s: the vendor was left after %v, want at once", c.name, took)
			}
		})
		all.Go(func() { // G4
			h.leave(c, c.ask("wide/stay", true), func(body io.Reader) { _, _ = io.Copy(io.Discard, body) }, "X-Understudy-Tag", c.name+" stays")
			h.leave(c, c.ask("wide/leave", true), func(body io.Reader) {
				for lines := bufio.NewScanner(body); !strings.Contains(lines.Text(), `":"."`); {
					if !lines.Scan() {
						t.Errorf("G4 %s: got the end of the stream, want to leave before", c.name)
						return
					}
				}
			}, "X-Understudy-Tag", c.name+" leaves")
		})
		all.Go(func() { // G8
			h.dawdle(c)
		})
		all.Go(func() { // G7
			for _, stream := range []bool{false, true} {
				body := c.ask(c.name+"-g7", stream)
				answer := h.old(fmt.Sprintf("POST %s HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", c.path, len(body), body))
				_, text, _ := strings.Cut(answer, "\r\n\r\n")
				if strings.Contains(answer, "Transfer-Encoding") || textOf(text, stream) != saidOfTheSea || stream && endOf(c.path, text) != "clean" {
					t.Errorf("G7 %s, stream %v: got %.500s, want the answer, not in chunks", c.name, stream, answer)
				}
			}
		})
		all.Go(func() { // G10
			a := h.post(c.path, c.ask(c.name+"-g10", true))
			if a.err != nil || endOf(c.path, a.body) != "clean" || strings.Contains(a.body, ": understudy rescue ") {
				t.Errorf("G10 %s: got %v and %.500s, want a whole stream", c.name, a.err, a.body)
			}
		})
	}
	all.Wait()
	h.wantUp("chat", "claude", "wide")
	h.stop()
	h.wantSameCharge()
	for _, line := range []string{"24 entries of 24 calls: 12 posted, 6 estimated, 6 uncertain", "all invariants hold"} {
		if out := h.command("ledger", "verify"); !strings.Contains(out, line) {
			t.Errorf("got\n%s\nwant %q in it", out, line)
		}
	}
	for _, v := range []*fakeprovider.Server{h.chat, h.claude} {
		for _, e := range v.Requests() {
			if e.Model == "small" {
				t.Errorf("got a request at an understudy, want none: %.200s", e.Body)
			}
		}
	}
}

// sayAndWait starts a vendor that says in five tokens that the sea is wide, and at last that it was asked in thirteen; where the
// model is to be left, only when it is, which nobody hears.
func sayAndWait(t *testing.T) (url string) {
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range []string{"The", " sea", " is", " wide", "."} {
			fmt.Fprintf(w, "data: {\"id\":\"x\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", word)
		}
		_, _ = io.WriteString(w, "data: {\"id\":\"x\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
		_ = http.NewResponseController(w).Flush()
		if strings.Contains(string(body), `"leave"`) {
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, "data: {\"id\":\"x\",\"model\":\"small\",\"choices\":[],\"usage\":{\"prompt_tokens\":13,\"completion_tokens\":5,\"total_tokens\":18}}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(vendor.Close)
	return vendor.URL
}

// wantSameCharge holds what those are charged who have left just before the usage against what the others are.
func (h *house) wantSameCharge() {
	h.t.Helper()
	var rows []struct {
		By     map[string]string
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
	}
	if err := json.Unmarshal([]byte(h.command("usage", "--by", "tag", "--json")), &rows); err != nil {
		h.t.Fatal(err)
	}
	charged := map[string][2]int64{}
	for _, r := range rows {
		charged[r.By["tag"]] = [2]int64{r.Input, r.Output}
	}
	for _, c := range faultClients {
		if stayed, left := charged[c.name+" stays"], charged[c.name+" leaves"]; stayed != [2]int64{13, 5} || max(left[0]-stayed[0], stayed[0]-left[0], left[1]-stayed[1], stayed[1]-left[1]) > 1 {
			h.t.Errorf("G4 %s: got %d tokens charged for the whole and %d before the usage, want the vendor's 13 and 5, and the same but for one", c.name, stayed, left)
		}
	}
}

// dawdle sends a request byte by byte, until it is told that this takes too long.
func (h *house) dawdle(c faultClient) {
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Error(err)
		return
	}
	defer conn.Close()
	body, begun := c.ask(c.name+"-g7", false), time.Now()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", c.path, len(body))
	over := make(chan struct{})
	defer close(over)
	go func() {
		for i := range len(body) {
			select {
			case <-over:
				return
			case <-time.After(patience / time.Duration(len(body))):
				_, _ = io.WriteString(conn, body[i:i+1])
			}
		}
	}()
	_ = conn.SetReadDeadline(begun.Add(patience))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		h.t.Errorf("G8 %s: got %v, want to be told", c.name, err)
		return
	}
	defer answer.Body.Close()
	if took := time.Since(begun); answer.StatusCode != http.StatusRequestTimeout || took < 900*time.Millisecond {
		h.t.Errorf("G8 %s: got %d after %v, want 408 after the second that a body has", c.name, answer.StatusCode, took)
	}
}

// leave sends a request, and goes away without a word when the function returns that has the answer's body, or nothing as yet.
func (h *house) leave(c faultClient, body string, when func(io.Reader), header ...string) {
	h.t.Helper()
	ctx, leave := context.WithCancel(h.t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+c.path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	arrived, answer := io.Pipe()
	go func() {
		resp, err := h.client.Do(req)
		if err != nil {
			_ = answer.CloseWithError(err)
			return
		}
		defer resp.Body.Close()
		_, err = io.Copy(answer, resp.Body)
		_ = answer.CloseWithError(err)
	}()
	when(arrived)
	_ = arrived.Close()
}

// old sends a request on a connection of its own, and returns all that comes until its end.
func (h *house) old(request string) string {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Error(err)
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, request)
	answer, err := io.ReadAll(conn)
	if err != nil {
		h.t.Errorf("got %v, want the end of the connection", err)
	}
	return string(answer)
}
