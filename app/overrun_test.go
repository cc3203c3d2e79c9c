package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
)

// teller is a vendor that streams answers of a length of its own choice, whatever was asked, and counts them truly.
type teller struct {
	server *httptest.Server
	words  int         // of an answer, each a token
	breaks atomic.Bool // it breaks off half way
	gate   chan struct{}
	asked  atomic.Int64
}

func newTeller(t *testing.T, words int) *teller {
	v := &teller{words: words, gate: make(chan struct{})}
	v.server = httptest.NewServer(http.HandlerFunc(v.serve))
	t.Cleanup(v.server.Close)
	return v
}

func (v *teller) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	v.asked.Add(1)
	<-v.gate
	w.Header().Set("Content-Type", "text/event-stream")
	out := bufio.NewWriterSize(w, 1<<10)
	chunk := func(rest string) {
		_, _ = fmt.Fprintf(out, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m",%s}`+"\n\n", rest)
	}
	const atOnce = 10
	for i := 0; i < v.words; i += atOnce {
		if v.breaks.Load() && i >= v.words/2 {
			_ = out.Flush()
			panic(http.ErrAbortHandler)
		}
		chunk(`"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("tell", atOnce) + `"}}]`)
		if out.Flush() != nil || r.Context().Err() != nil {
			return // the gateway has had enough
		}
	}
	chunk(`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`)
	chunk(fmt.Sprintf(`"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}`, v.words, v.words+1))
	_, _ = io.WriteString(out, "data: [DONE]\n\n")
	_ = out.Flush()
}

// tellersConfig is a config of a lead and an understudy, whose tokens cost a milli-dollar each, and of a budget for both.
func tellersConfig(t *testing.T, lead, understudy *teller, most string) *config.Config {
	t.Helper()
	provider := func(v *teller) string {
		return fmt.Sprintf(`{base_url: %s/v1, key: none, auth: none, dialects: {openai-chat: /chat/completions}, models: [{id: m, price: {input: 0, output: 1000}}]}`, v.server.URL)
	}
	return parse(t, fmt.Sprintf("data: ./data\nproviders:\n  lead: %s\n  other: %s\nmodels: {story: {lead: lead/m, understudies: [other/m]}}\nbudgets: [{account: key:anonymous, period: ever, %s}]",
		provider(lead), provider(understudy), most), nil)
}

// listen asks for streams at the same time, and returns how each ended: whole, cut or refused.
func listen(t *testing.T, a *App, clients int, more string, began func()) (whole, cut, refused int64) {
	t.Helper()
	var w, c, r atomic.Int64
	var all sync.WaitGroup
	client := newClient(t)
	for range clients {
		all.Go(func() {
			resp, err := client.Post("http://"+a.Addr()+"/v1/chat/completions", "application/json",
				strings.NewReader(`{"model": "story", "stream": true, `+more+`"messages": [{"role": "user", "content": "hi"}]}`))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			switch {
			case resp.StatusCode == http.StatusTooManyRequests:
				r.Add(1)
			case strings.HasSuffix(string(text), "data: [DONE]\n\n") && strings.Contains(string(text), `"finish_reason":"stop"`):
				w.Add(1)
			case strings.Contains(string(text), `"insufficient_quota"`), strings.Contains(string(text), "stream broke off"):
				c.Add(1)
			default:
				t.Errorf("got status %d and an end of %.300q, want an answer, or the budget's error", resp.StatusCode, text[max(len(text)-300, 0):])
			}
		})
	}
	began()
	all.Wait()
	client.CloseIdleConnections()
	return w.Load(), c.Load(), r.Load()
}

// spentOf is what a budget's window came to, with the ledger verified.
func spentOf(t *testing.T, a *App, c *config.Config) budget.Window {
	t.Helper()
	if err := a.SyncLedger(t.Context()); err != nil {
		t.Fatal(err)
	}
	windows, err := a.books.store.Windows(t.Context())
	if err != nil || len(windows) != 1 {
		t.Fatalf("got %v, %v, want one window", windows, err)
	}
	if err := a.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	r, err := VerifyLedger(t.Context(), c)
	if err = errors.Join(err); err != nil || len(r.Problems) > 0 {
		t.Errorf("verify: got %v, %v, want no problem", r, err)
	}
	return windows[0]
}

// TestStreamsWithinALimitP9 lets 16 clients ask for streams that a budget has room for seven of: with max_tokens seven are told
// whole, and nothing goes beyond the budget, also where each takes two attempts.
func TestStreamsWithinALimitP9(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]bool{"one attempt": false, "two attempts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lead, other := newTeller(t, 1000), newTeller(t, 1000)
			lead.breaks.Store(breaks)
			close(other.gate)
			c := tellersConfig(t, lead, other, "most: 7.5 USD") // a thousand tokens are a dollar
			a := start(t, c, &lockedBuffer{})
			whole, cut, refused := listen(t, a, 16, `"max_tokens": 1000, `, func() { close(lead.gate) })
			w := spentOf(t, a, c)
			if w.Posted > w.Limit || w.Overrun != 0 {
				t.Errorf("got %v spent of %v and %v beyond what was reserved, want none beyond", w.Posted, w.Limit, w.Overrun)
			}
			if !breaks && (whole < 7 || cut > 0) || whole+refused+cut != 16 {
				t.Errorf("got %d whole, %d cut and %d refused, want seven whole and the rest refused", whole, cut, refused)
			}
		})
	}
}

// TestStreamsBeyondWhatIsReservedP9 has answers that nothing limits be longer than what was reserved for them. More is reserved
// while they run, and where there is no more they end in an error: the budget is passed by no more than what one piece of a
// stream is counted wrong by.
func TestStreamsBeyondWhatIsReservedP9(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		most                string
		whole, cut, refused int64
	}{
		// Each reserves 16,384 tokens at first, and comes to 40,000.
		"room for all":   {"most: 200 USD", 4, 0, 0},
		"room for three": {"most: 121 USD", -1, -1, 0},
		"room for one":   {"most: 41 USD", -1, -1, -1},
		"strict":         {"most: 70 USD, strict: true", 0, 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lead, other := newTeller(t, 40_000), newTeller(t, 40_000)
			close(other.gate)
			c := tellersConfig(t, lead, other, tc.most)
			a := start(t, c, &lockedBuffer{})
			whole, cut, refused := listen(t, a, 4, "", func() {
				for until := time.Now().Add(patience); tc.refused == 0 && lead.asked.Load() < 4 && time.Now().Before(until); {
					time.Sleep(time.Millisecond) // until all have reserved
				}
				close(lead.gate)
			})
			for _, got := range []struct {
				what      string
				got, want int64
			}{{"whole", whole, tc.whole}, {"cut", cut, tc.cut}, {"refused", refused, tc.refused}} {
				if got.want >= 0 && got.got != got.want {
					t.Errorf("got %d %s, want %d", got.got, got.what, got.want)
				}
			}
			w := spentOf(t, a, c)
			const piece = budget.USD / 10 // of a stream, and how it is counted
			if w.Posted > w.Limit+4*piece {
				t.Errorf("got %v spent of %v, want none beyond it", w.Posted, w.Limit)
			}
			if told := budget.Money(whole) * 40 * budget.USD; w.Posted < told {
				t.Errorf("got %v spent, want %v and more, which whole answers cost", w.Posted, told)
			}
		})
	}
}
