package gateway

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// join says a continuation in pieces of n bytes, cut between characters, and returns
// what of it the client is given.
func join(s *seam, text string, n int) string {
	var out strings.Builder
	for text != "" {
		i := min(n, len(text))
		for i < len(text) && !utf8.RuneStart(text[i]) {
			i++
		}
		out.WriteString(s.add(text[:i]))
		text = text[i:]
	}
	out.WriteString(s.end())
	return out.String()
}

func TestSeam(t *testing.T) {
	t.Parallel()
	const long = "The sea covers most of the world, and it is full of salt wa"
	for _, tc := range []struct{ name, before, says, want string }{
		{"goes on", long, "ter.", "ter."},
		{"says the last word again", long, "wa", ""},
		{"says the last word again and goes on", long, "water.", "ter."},
		{"says some words again", long, "salt water.", "ter."},
		{"says the sentence again", long, "and it is full of salt water.", "ter."},
		{"begins anew", long, long + "ter.", "ter."},
		{"begins in a word, for long", long, "ull of salt water.", "ter."},
		{"a letter that happens to fit", long, "a lot", "a lot"},
		{"a word of which the first letters fit", "He saw the cat", "at", "at"},
		{"announces it", long, "Sure, here it goes on:\n\n\"" + long + "ter.", "ter."},
		{"announces it and quotes the end", long, "Gern: …the world, and it is full of salt water.", "ter."},
		{"announces more than is waited for", long, strings.Repeat("Well. ", 50) + long, strings.Repeat("Well. ", 50) + long},
		{"too little was said to be quoted", "Yes", ", of course. Yes", ", of course. Yes"},
		{"blanks are doubled", "One, ", " two", "two"},
		{"a line ends", "One.\n", "\nTwo.", "\nTwo."},
		{"a full stop", "One.", ".. two", ".. two"},
		{"a character of many bytes", "Grüße, 世界 🌊", "🌊!", "🌊!"},
		{"stops while it says it again", long, "The sea covers most", ""},
		{"stops at once", long, "", ""},
		{"stops after a letter", long, "s", "s"},
		{"the longest of two", "one two one two", "one two three", " three"},
		{"nothing was said", "", "All of it.", "All of it."},
	} {
		for _, n := range []int{1, 3, 1000} {
			if got := join(newSeam(tc.before), tc.says, n); got != tc.want {
				t.Errorf("%s, %d bytes at a time: got %q want %q", tc.name, n, got, tc.want)
			}
		}
	}
}

func TestStrictSeam(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ space, says, want string }{
		{" ", " two", "two"},
		{" ", "two", "two"},
		{"\n", "\n\nTwo", "\nTwo"},
		{" \n", "\nTwo", "Two"},
		{"\n\n", "\nTwo", "Two"},
		{"", " two", " two"},
		{"", "wa wa", "wa wa"},
		{" ", "", ""},
		{" ", " ", ""},
	} {
		for _, n := range []int{1, 1000} {
			if got := join(newStrictSeam(tc.space), tc.says, n); got != tc.want {
				t.Errorf("%q after %q: got %q want %q", tc.says, tc.space, got, tc.want)
			}
		}
	}
}

// TestSeamProperties: whatever is said in whatever pieces, what comes out is the end of
// it and whole characters, it does not depend on the pieces, and no more is held than was
// said before and may be said besides.
func TestSeamProperties(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab ü世🌊.\n")), 0, 300, -1)
	rapid.Check(t, func(t *rapid.T) {
		before, says := text.Draw(t, "before"), text.Draw(t, "says")
		if rapid.Bool().Draw(t, "again") {
			at := rapid.IntRange(0, len(before)).Draw(t, "at")
			says = strings.ToValidUTF8(before[at:], "") + says
		}
		whole := join(newSeam(before), says, len(says)+1)
		if !strings.HasSuffix(says, whole) || !utf8.ValidString(whole) {
			t.Fatalf("got %q of %q, want the end of it", whole, says)
		}
		s := newSeam(before)
		var out strings.Builder
		for rest := says; rest != ""; {
			_, n := utf8.DecodeRuneInString(rest)
			for range rapid.IntRange(0, 20).Draw(t, "more") {
				_, m := utf8.DecodeRuneInString(rest[n:])
				n += m
			}
			out.WriteString(s.add(rest[:n]))
			rest = rest[n:]
			if most := len(before) + maxPreamble + maxTailSeen; len(s.held) > most {
				t.Fatalf("got %d bytes held, want at most %d", len(s.held), most)
			}
		}
		out.WriteString(s.end())
		if out.String() != whole {
			t.Fatalf("got %q in pieces and %q at once, want the same", out.String(), whole)
		}
	})
}

// TestSeamJoins: a text cut anywhere, of which the understudy says the rest, is whole
// again, however much it says over: nothing, the end from some word on, everything, or the
// end after a preamble. The words differ, since a text that repeats itself leaves it open.
func TestSeamJoins(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-zäß世]{3,9}`)
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfNDistinct(word, 12, 40, func(w string) string { return w }).Draw(t, "words")
		text := strings.Join(words, " ")
		cut := rapid.IntRange(len(text)/2, len(text)).Draw(t, "cut")
		for cut < len(text) && !utf8.RuneStart(text[cut]) {
			cut++
		}
		before, rest := text[:cut], text[cut:]
		over := rapid.SampledFrom([]string{"", "words", "all", "preamble"}).Draw(t, "over")
		switch i := strings.LastIndexByte(before[:len(before)-20], ' '); over {
		case "words":
			rest = before[i+1:] + rest
		case "all":
			rest = text
		case "preamble":
			rest = "SURE:\n" + before[i+1:] + rest
			if len(before[i+1:]) < maxTailSeen {
				t.Skip("too little is quoted")
			}
		}
		if over == "" && isAccident(before, rest) {
			t.Skip("the rest begins as the text ended")
		}
		if got := before + join(newSeam(before), rest, rapid.IntRange(1, 40).Draw(t, "size")); got != text {
			t.Fatalf("got %q want %q", got, text)
		}
	})
}

// isAccident reports whether rest begins as before ends: with a blank, or, after one or not, with its last word, which
// may be a part of the next one.
func isAccident(before, rest string) bool {
	last := before[strings.LastIndexByte(before, ' ')+1:]
	if last == "" {
		return strings.HasPrefix(rest, " ")
	}
	return strings.HasPrefix(strings.TrimPrefix(rest, " "), last)
}
