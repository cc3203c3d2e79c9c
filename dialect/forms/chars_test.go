package forms

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestChars(t *testing.T) {
	for _, s := range []string{"", "a", "é", strings.Repeat("a", 64), strings.Repeat("aé😀", 100), strings.Repeat("é", 64) + "\xff\xfe" + strings.Repeat("b", 70)} {
		var c Chars
		half := len(s) / 2
		for !utf8.RuneStart(append([]byte(s), 'x')[half]) {
			half++
		}
		c.Add(s[:half])
		c.Add(s[half:])
		if string(c.Text()) != s || c.Count() != utf8.RuneCountInString(s) {
			t.Fatalf("got %q of %d characters want %q", c.Text(), c.Count(), s)
		}
		n := 0
		for at := range s {
			if c.At(n) != at || c.Before(at) != n {
				t.Fatalf("%q: got character %d at %d and %d before %d", s, n, c.At(n), c.Before(at), at)
			}
			n++
		}
		if c.At(n) != len(s) || c.At(n+100) != len(s) || c.At(-1) != 0 || c.Before(len(s)+9) != n || c.Before(-1) != 0 {
			t.Errorf("%q: got other ends", s)
		}
	}
	if from, to := CharsOf("aéb").Span(1, 2); from != 1 || to != 3 {
		t.Errorf("got %d to %d want 1 to 3", from, to)
	}
	if from, to := CharsOf("aéb").Span(0, 0); from != 0 || to != 4 {
		t.Errorf("got %d to %d want all", from, to)
	}
}

func TestPlaces(t *testing.T) {
	var p Places[int]
	if p.Find(0) != -1 {
		t.Error("got a place in an empty list")
	}
	for i := range 100 {
		p.Add(i % 50)
		if p.Find(i%50) != i || p.Find(50) != -1 || p.Find(0) != i/50*50 {
			t.Fatalf("got %d at %d, and 0 at %d", i%50, p.Find(i%50), p.Find(0))
		}
	}
}
