package postgres

import (
	"log/slog"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

// remember opens the memory of a gateway; several share a database.
func remember(t *testing.T, d *DB, now time.Time) *Objects {
	t.Helper()
	return d.Objects(slog.New(slog.DiscardHandler), func() time.Time { return now })
}

func TestObjectsAreShared(t *testing.T) {
	d := open(t)
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	here, there := remember(t, d, now), remember(t, d, now)
	file := gateway.Object{ID: "file-1", Provider: "b", Credential: "c0ffee", Caller: "key_1", At: now}
	answer := gateway.Object{ID: "resp_1", Provider: "a", IsAnswer: true, Uncounted: true, At: now}
	here.Note(file, answer)
	if err := here.Close(); err != nil { // which writes
		t.Fatal(err)
	}
	found, err := there.Find(t.Context(), "file-1", "resp_1", "resp_2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []gateway.Object{file, answer} {
		got := found[want.ID]
		got.At = got.At.UTC()
		if got != want {
			t.Errorf("at another gateway: got %+v, want %+v", got, want)
		}
	}
	third := remember(t, d, now)
	if _, err := third.Find(t.Context(), "resp_1"); err != nil {
		t.Fatal(err)
	}
	if a, b := there.Count(t.Context(), "resp_1"), third.Count(t.Context(), "resp_1"); len(found) != 2 || !a || b {
		t.Errorf("got %d objects, counted %v and %v, want two, counted by the first alone", len(found), a, b)
	}
	third.Note(answer) // nobody makes what was counted uncounted
	for _, o := range []*Objects{there, third} {
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	later := remember(t, d, now.Add(keptObjects-time.Minute))
	if later.Count(t.Context(), "resp_1") {
		t.Error("noted again: got it counted twice, want it counted once")
	}
	if err := later.Close(); err != nil {
		t.Fatal(err)
	}
	end := remember(t, d, now.Add(keptObjects+time.Minute))
	if err := end.sweep(); err != nil {
		t.Fatal(err)
	}
	if found, err := end.Find(t.Context(), "file-1", "resp_1"); err != nil || len(found) > 0 {
		t.Errorf("much later: got %v %v, want nothing", found, err)
	}
	if err := end.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestObjectsWhileTheDatabaseIsGone: what cannot be written is known to this gateway, and waits; what is unknown is an
// error, since it may be another caller's.
func TestObjectsWhileTheDatabaseIsGone(t *testing.T) {
	d, err := Open(t.Context(), "postgres://127.0.0.1:1/none?connect_timeout=1", "none")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	o := remember(t, d, time.Now())
	defer o.Close()
	o.Note(gateway.Object{ID: "file-1", Provider: "a"})
	if found, err := o.Find(t.Context(), "file-1"); err != nil || found["file-1"].Provider != "a" {
		t.Errorf("got %v %v, want what was noted here", found, err)
	}
	if _, err := o.Find(t.Context(), "file-2"); err == nil {
		t.Error("got no error for what is unknown, want one")
	}
}
