package jsontext

import (
	"math/rand/v2"
	"testing"
)

// A string ends where it ends however it is looked for: eight bytes at a time, by a search, or one by one.
func TestSkipString(t *testing.T) {
	t.Parallel()
	oneByOne := func(b []byte, i int) int {
		for i++; i < len(b); i++ {
			switch b[i] {
			case '"':
				return i + 1
			case '\\':
				i++
			}
		}
		return -1
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := make([]byte, 1+r.IntN(80))
		for i := range text {
			text[i] = "aé\\\\\\\"x"[r.IntN(8)]
			if r.IntN(3) > 0 {
				text[i] = 'a'
			}
		}
		at := r.IntN(len(text))
		text[at] = '"'
		if got, want := skipString(text, at), oneByOne(text, at); got != want {
			t.Fatalf("%q from %d: got %d want %d", text, at, got, want)
		}
	}
}
