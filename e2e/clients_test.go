//go:build unix

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestFaultsOfClients is what the catalogue has of clients, through the binary, for those of three APIs: one that leaves
// before it has anything (G2), or amid its answer (G3), one that speaks HTTP/1.0 (G7), and one whose answer lasts longer than
// a write may (G10). Vendors are left at once and are not to blame, nobody else is asked, and the books have it all.
func TestFaultsOfClients(t *testing.T) {
	t.Parallel()
	var models strings.Builder
	for _, c := range faultClients {
		for row, markers := range map[string]string{"g2": "+first-30s", "g3": "+chunks-400+delay-100ms", "g7": "", "g10": "+chunks-12+delay-250ms"} {
			fmt.Fprintf(&models, "  %s-%s: {lead: %s/%s-%s%s, understudies: [%s/small]}\n", c.name, row, c.lead, c.name, row, markers, c.understudy)
		}
	}
	h := openHouse(t, "limits: {write_timeout: 1s}\nmodels:\n"+models.String())
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
	h.wantUp("chat", "claude")
	h.stop()
	for _, line := range []string{"18 entries of 18 calls: 9 posted, 3 estimated, 6 uncertain", "all invariants hold"} {
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

// leave sends a request, and goes away without a word when the function returns that has the answer's body, or nothing as yet.
func (h *house) leave(c faultClient, body string, when func(io.Reader)) {
	h.t.Helper()
	ctx, leave := context.WithCancel(h.t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+c.path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
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
