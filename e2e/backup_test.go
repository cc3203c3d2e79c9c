//go:build unix

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestBackup backs the ledger up under load, several times, goes on, and restores one of the copies: with the journal that is
// still there nothing is missing; without it, what is missing is told of, and the vendor's export shows how much it is (K12).
func TestBackup(t *testing.T) {
	t.Parallel()
	h := openHouse(t, priced)
	dir := filepath.Dir(h.config)
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for client := range 6 {
		clients.Go(func() { h.pester(0, client, stop) })
	}
	// Of a ledger with nothing in it nobody knows where in the journal it ends.
	for until := time.Now().Add(patience); len(h.attempts()) == 0 && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
	copies := make([]string, 3)
	for i := range copies {
		time.Sleep(time.Duration(200+rand.IntN(500)) * time.Millisecond)
		copies[i] = filepath.Join(dir, fmt.Sprintf("copy%d.db", i))
		out := h.command("ledger", "backup", copies[i])
		if info, err := os.Stat(copies[i]); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(out, "all invariants hold") {
			t.Errorf("backup: got %v, %v and\n%s\nwant a copy of mode 0600 in which all invariants hold", info, err, out)
		}
	}
	if out, err := h.try("ledger", "backup", copies[0]); err == nil || !strings.Contains(out, "is there already") {
		t.Errorf("over another file: got %v and %s, want it refused", err, out)
	}
	if out, err := h.try("ledger", "restore", copies[0]); err == nil || !strings.Contains(out, "another gateway uses it") {
		t.Errorf("while the gateway runs: got %v and %s, want it refused", err, out)
	}
	close(stop)
	clients.Wait()
	vendors := map[string]int{}
	h.collect(vendors)
	h.stop()
	h.wantBooks(vendors)
	whole := h.attempts()
	export := filepath.Join(dir, "export.csv") // as the vendor has it
	rows := h.command("usage", "--by", "day,model", "--csv")
	rows = strings.ReplaceAll(strings.Replace(rows, "cost_usd", "ours", 1), "unpriced_usd", "cost_usd") // simulated models have no price
	if err := os.WriteFile(export, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}

	copied := copies[rand.IntN(len(copies))]
	out := h.command("ledger", "restore", copied)
	if !strings.Contains(out, "what was there is in ") || strings.Contains(out, "does not reach back") {
		t.Errorf("restore: got\n%s\nwant the old ledger kept, and no gap", out)
	}
	h.start()
	h.stop()
	h.wantBooks(vendors)
	if got := h.attempts(); fmt.Sprint(got) != fmt.Sprint(whole) {
		t.Errorf("restored, with the journal: got %v, want %v", got, whole)
	}
	h.command("usage", "reconcile", export, "--provider", "chat", "--tolerance", "100") // both providers have its models

	if err := os.RemoveAll(filepath.Join(dir, "data", "journal")); err != nil {
		t.Fatal(err)
	}
	if out := h.command("ledger", "restore", copies[0]); !strings.Contains(out, "does not reach back") {
		t.Errorf("restore without a journal: got\n%s\nwant it told of the gap", out)
	}
	h.start()
	h.stop()
	if out := h.command("ledger", "verify"); !strings.Contains(out, "all invariants hold") {
		t.Errorf("ledger verify: got\n%s\nwant it to hold", out)
	}
	if out, err := h.try("usage", "reconcile", export, "--provider", "chat"); err == nil || !strings.Contains(out, "differs") {
		t.Errorf("reconcile: got %v and\n%s\nwant what is missing to show", err, out)
	}

	if err := os.WriteFile(copied, append([]byte("SQLite format 3\x00"), make([]byte, 5000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := h.try("ledger", "restore", copied); err == nil {
		t.Errorf("a broken copy: got\n%s\nwant it refused", out)
	}
	if out := h.command("ledger", "verify"); !strings.Contains(out, "all invariants hold") {
		t.Errorf("after a broken copy: got\n%s\nwant the ledger as it was", out)
	}
}

// try runs understudy with the house's config, and returns all that it writes.
func (h *house) try(args ...string) (string, error) {
	cmd := exec.Command("understudy", append(args, "--config", h.config)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TEST_KEY=" + canary}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
