package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/store/journal"
)

// TestPostgres serves with the ledger in a PostgreSQL database, and reads it again.
func TestPostgres(t *testing.T) {
	url := os.Getenv("UNDERSTUDY_POSTGRES")
	if url == "" {
		t.Skip("skipped: no PostgreSQL server; its URL would be in UNDERSTUDY_POSTGRES, as `.ci/run store` sets it")
	}
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t)}
	text := "data: ./data\nstore: " + url + "\nproviders: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}"
	c := parse(t, text, vendors)
	before := int64(0)
	for range 2 { // the second start goes on
		a := start(t, c, &lockedBuffer{})
		resp, err := newClient(t).Post("http://"+a.Addr()+"/v1/chat/completions", "application/json",
			strings.NewReader(`{"model": "v/m", "messages": [{"role": "user", "content": "hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if err := errors.Join(a.SyncLedger(t.Context()), a.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
		r, err := VerifyLedger(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Problems) > 0 || r.Entries <= before {
			t.Errorf("got %d entries and problems %v, want more than %d and none", r.Entries, r.Problems, before)
		}
		before = r.Entries
	}
}

// TestPostgresIsGone starts and serves while the database cannot be reached.
func TestPostgresIsGone(t *testing.T) {
	t.Parallel()
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t)}
	c := parse(t, "data: ./data\nstore: postgres://nobody@127.0.0.1:1/none\nproviders: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}", vendors)
	a := start(t, c, &lockedBuffer{})
	resp, err := newClient(t).Post("http://"+a.Addr()+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"model": "v/m", "messages": [{"role": "user", "content": "hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got status %d, want an answer", resp.StatusCode)
	}
	eventually(t, "the call's entry waiting for the database", a.books.journal.Behind)
	a.books.closing = 100 * time.Millisecond // it waits in vain
}

// TestOwnersOutliveTheProgram makes a file at the one of two vendors that takes it, and asks for it after a restart, and
// with no data at all.
func TestOwnersOutliveTheProgram(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ data, want string }{{"./data", "b"}, {"none", "a b"}} {
		var mu sync.Mutex
		asked, vendors := []string{}, map[string]string{}
		for _, name := range []string{"a", "b"} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, name)
				mu.Unlock()
				switch {
				case name == "b":
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{"id":"file-1","object":"file"}`))
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusServiceUnavailable)
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			}))
			t.Cleanup(server.Close)
			vendors[name] = server.URL
		}
		c := parse(t, "data: "+tc.data+"\nproviders:\n"+
			"  a: {use: openai, base_url: "+vendors["a"]+"/v1, key: env:TEST_KEY}\n"+
			"  b: {use: openai, base_url: "+vendors["b"]+"/v1, key: env:TEST_KEY}\n", nil)
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			mu.Lock()
			asked = nil
			mu.Unlock()
			a := start(t, c, &lockedBuffer{})
			path := map[string]string{http.MethodPost: "/v1/files", http.MethodGet: "/v1/files/file-1"}[method]
			r, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.Addr()+path, strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			resp, err := newClient(t).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if err := a.Stop(t.Context()); err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("data: %s: got status %d and %v, want an answer", tc.data, resp.StatusCode, err)
			}
		}
		if got := strings.Join(asked, " "); got != tc.want {
			t.Errorf("data: %s: after a restart got %q asked, want %q", tc.data, got, tc.want)
		}
	}
}

// TestUsageAtOnce reports a call that has just been answered: the command waits for what the gateway has still in its journal, and the admin
// API asks for it.
func TestUsageAtOnce(t *testing.T) {
	t.Parallel()
	c := parse(t, "data: ./data\nproviders: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}", map[string]*fakeprovider.Server{"V": newVendor(t)})
	a := start(t, c, &lockedBuffer{})
	now, last := time.Now(), budget.Mark{}
	for i, report := range []func() ([]*budget.Usage, error){
		func() ([]*budget.Usage, error) { return Usage(t.Context(), c, now, now.Add(time.Hour), nil) },
		func() ([]*budget.Usage, error) {
			return ledgerView{c, a.SyncLedger}.Usage(t.Context(), now, now.Add(time.Hour), nil)
		},
	} {
		send(t, a, "", `{"model": "v/m", "messages": [{"role": "user", "content": "hi"}]}`)
		eventually(t, "it is settled", func() bool { // a call is settled after its answer
			closed, err := journal.Closed(filepath.Join(c.DataFolder(), journalFolder), last)
			if err != nil {
				t.Fatal(err)
			}
			settled := last.Before(closed)
			last = closed
			return settled
		})
		begun := time.Now()
		r, err := report()
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); (len(r) != 1 || r[0].Attempts != int64(i+1)) && took < freshTime {
			t.Errorf("got %v after %v, want %d attempts", r, took, i+1)
		}
		if err := a.SyncLedger(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLongInvoice refuses an invoice of more lines than are read, and leaves none of them out.
func TestLongInvoice(t *testing.T) {
	t.Parallel()
	const line = "2026-11-26,m,1\n"
	text := "day,model,cost\n" + strings.Repeat(line, maxInvoice)
	if charges, err := readInvoice(strings.NewReader(text)); err != nil || len(charges) != maxInvoice {
		t.Errorf("as many as may be: got %d charges, %v, want %d", len(charges), err, maxInvoice)
	}
	if _, err := readInvoice(strings.NewReader(text + line)); err == nil || !strings.Contains(err.Error(), "want no more at a time") {
		t.Errorf("one more: got %v, want it refused", err)
	}
}

// TestNodeHasAName: a gateway has one name for its database, also after a crash that left the file of it empty.
func TestNodeHasAName(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, nodeFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := nodeOf(folder)
	again, errAgain := nodeOf(folder)
	if err = errors.Join(err, errAgain); err != nil || !strings.HasPrefix(first, "node_") || again != first {
		t.Errorf("got %q and then %q, %v, want one name", first, again, err)
	}
}
