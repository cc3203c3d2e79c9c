//go:build unix

package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestCorrect corrects an attempt while the gateway runs, and goes on.
func TestCorrect(t *testing.T) {
	t.Parallel()
	h := openHouse(t, priced)
	a := h.post(chatPath, taggedAsk("assistant", "run0-0-0", false), "X-Understudy-Tag", "run0-0-0")
	wantWhole(t, "a call", a, "run0-0-0")
	attempt := a.header.Get("X-Understudy-Call") + "/1"
	correct := func(cost string) (string, error) {
		return h.try("ledger", "correct", attempt, "--cost", cost, "--reason", "the invoice")
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) { // until it is in the ledger
		out, err := correct("0.75")
		if err == nil {
			if !strings.Contains(out, attempt+": 0.75 USD instead of ") {
				t.Errorf("got %s, want it told what it cost before", out)
			}
			break
		}
		if time.Since(begun) > patience || !strings.Contains(out, "no such attempt") {
			t.Fatalf("got %v and %s, want it corrected", err, out)
		}
	}
	if out, err := correct("0.75"); err == nil || !strings.Contains(out, "costs that already") {
		t.Errorf("again: got %v and %s, want it refused", err, out)
	}
	if out, err := correct("-1"); err == nil {
		t.Errorf("less than nothing: got %s, want it refused", out)
	}
	h.served(1, 20) // the gateway writes on
	if out, err := correct("0.5"); err != nil || !strings.Contains(out, "instead of 0.75") {
		t.Errorf("got %v and %s, want it corrected once more", err, out)
	}
	h.stop()
	out := h.command("ledger", "verify")
	if !strings.Contains(out, "2 corrections") || !strings.Contains(out, "all invariants hold") {
		t.Errorf("ledger verify: got\n%s\nwant two corrections, and all invariants", out)
	}
	if out := h.command("usage", "--by", "tag", "--csv"); !strings.Contains(out, "run0-0-0,1,") || !strings.Contains(out, ",0.50,0.00,0.00,0.00,0.00") {
		t.Errorf("usage: got\n%s\nwant the attempt at what it cost", out)
	}
}
