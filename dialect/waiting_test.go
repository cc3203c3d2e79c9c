package dialect_test

import (
	"fmt"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

func TestWaiting(t *testing.T) {
	t.Parallel()
	var w dialect.Waiting[int]
	if _, ok := w.Take("a"); ok || w.Len() != 0 {
		t.Error("got one that waits, want none")
	}
	w.Add(1, "a", "x")
	w.Add(2, "b", "x")
	w.Add(3, "a", "x")
	w.Add(4, "c", "x")
	for _, want := range []struct {
		key         string
		value, left int
		first       int
	}{{"b", 2, 3, 1}, {"x", 1, 2, 3}, {"a", 3, 1, 4}, {"a", 0, 1, 4}, {"x", 4, 0, 0}, {"x", 0, 0, 0}, {"c", 0, 0, 0}} {
		got, ok := w.Take(want.key)
		if got != want.value || ok != (want.value > 0) || w.Len() != want.left {
			t.Errorf("%s: got %d (%v) and %d left, want %d and %d", want.key, got, ok, w.Len(), want.value, want.left)
		}
		if w.Len() > 0 && w.First() != want.first {
			t.Errorf("%s: got %d first, want %d", want.key, w.First(), want.first)
		}
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	var u dialect.Unused
	try := func(n int) string { return fmt.Sprintf("id%d", n) }
	for i, want := range []string{"id", "id0", "id1", "id2"} {
		if got := u.Take("id", true, try); got != want {
			t.Errorf("%d: got %s, want %s", i, got, want)
		}
	}
	if got := u.Take("id1", true, func(n int) string { return fmt.Sprintf("id1%d", n) }); got != "id10" {
		t.Errorf("got %s, want id10: id1 is taken", got)
	}
	if got := u.Take("good only in part", false, func(int) string { return "made" }); got != "made" {
		t.Errorf("got %s, want what was made", got)
	}
}
