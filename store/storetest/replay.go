package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

// Replays holds a store to what the gateway wants of its memory of requests. open opens it, and opens the same one again,
// as the next start of the same gateway does.
func Replays(t *testing.T, open func() (gateway.Replays, func() error)) {
	t.Helper()
	at := time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)
	request := func(name string, at time.Time) *gateway.Replay {
		return &gateway.Replay{ID: sha256.Sum256([]byte(name)), Request: sha256.Sum256([]byte("asks " + name)), Call: "call_" + name, At: at}
	}
	s, stop := open()
	claim := func(r *gateway.Replay) *gateway.Replay {
		t.Helper()
		before, err := s.Claim(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return before
	}
	for _, name := range []string{"kept", "lost", "runs", "forgotten"} {
		if before := claim(request(name, at)); before != nil {
			t.Errorf("%s: got %+v, want it claimed", name, before)
		}
		if before := claim(request(name, at)); before == nil || before.State != gateway.ReplayRuns || before.Call != "call_"+name || before.Request != request(name, at).Request {
			t.Errorf("%s: got %+v, want it claimed already", name, before)
		}
	}
	kept := request("kept", at)
	kept.State, kept.Status, kept.Header, kept.Body = gateway.ReplayKept, 200, []byte("{}"), []byte("an answer")
	lost := request("lost", at)
	lost.State = gateway.ReplayLost
	belated := request("kept", at) // the answer is there, and whoever kept it was not told
	belated.State = gateway.ReplayLost
	for _, r := range []*gateway.Replay{kept, lost, belated} {
		if err := s.Keep(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	other := request("forgotten", at)
	other.Call = "call_other" // has not claimed it
	if err := errors.Join(s.Forget(t.Context(), other), s.Keep(t.Context(), other)); err != nil {
		t.Fatal(err)
	}
	if before := claim(request("forgotten", at)); before == nil || before.Call != "call_forgotten" {
		t.Errorf("forgotten by another call: got %+v, want it claimed still", before)
	}
	if err := s.Forget(t.Context(), request("forgotten", at)); err != nil {
		t.Fatal(err)
	}
	if before := claim(request("forgotten", at)); before != nil {
		t.Errorf("forgotten: got %+v, want it claimed anew", before)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s, stop = open()
	for name, want := range map[string]gateway.ReplayState{"kept": gateway.ReplayKept, "lost": gateway.ReplayLost, "runs": gateway.ReplayLost} {
		if before := claim(request(name, at)); before == nil || before.State != want || name == "kept" && (string(before.Body) != "an answer" || before.Status != 200) {
			t.Errorf("%s, at the next start: got %+v, want state %d", name, before, want)
		}
	}
	if before := claim(request("kept", at.Add(gateway.ReplayTime))); before != nil {
		t.Errorf("a day later: got %+v, want it forgotten", before)
	}
	for i := range 3 * gateway.ReplaysAtOnce {
		claim(request(fmt.Sprint("many", i), at.Add(gateway.ReplayTime)))
	}
	// Some that are old are forgotten with each that is new, and the one that is asked for in any case.
	late := at.Add(2 * gateway.ReplayTime)
	for _, name := range []string{fmt.Sprint("many", 3*gateway.ReplaysAtOnce-1), "new", "newer", "newest"} {
		if before := claim(request(name, late)); before != nil {
			t.Errorf("%s, another day later: got %+v, want it claimed", name, before)
		}
	}
	big := request("new", late)
	big.State, big.Status, big.Body = gateway.ReplayKept, 200, make([]byte, 1<<30+1)
	if err := s.Keep(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	if before := claim(request("new", late)); before == nil || before.State != gateway.ReplayLost || len(before.Body) > 0 {
		t.Error("got an answer kept that is larger than all may be together")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
