package fakeprovider

import (
	"strconv"
	"strings"
	"unicode"
)

// maxQuote is how much of an answer may be quoted to have it gone on with, in bytes.
const maxQuote = 1 << 10

// quotesEnd reports whether a turn of the user's quotes the end of what was said and says nothing
// else: no letter and no digit beside it. A model takes that for "go on from here".
func quotesEnd(turn, said string) bool {
	for n := min(len(said), maxQuote); n > 0; n-- {
		before, after, found := strings.Cut(turn, said[len(said)-n:])
		if found && !hasWords(before) && !hasWords(after) {
			return true
		}
	}
	return false
}

func hasWords(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
}

// goOn leaves out what a request says was said already, where it is the beginning of the reply's
// text, so that the answer continues it. The markers make a model of it that first says some of it
// again.
func (r *Reply) goOn(a Ask) {
	text := strings.Join(r.Parts, "")
	if a.Said == "" || !strings.HasPrefix(text, a.Said) {
		return
	}
	left := len(a.Said)
	for left > 0 {
		if n := len(r.Parts[0]); n <= left {
			left -= n
			r.Parts = r.Parts[1:]
			continue
		}
		r.Parts = append([]string{r.Parts[0][left:]}, r.Parts[1:]...)
		left = 0
	}
	if !a.Quoted {
		return
	}
	if n, err := strconv.Atoi(a.markers["again"]); err == nil {
		r.Parts = append(words(a.Said[max(len(a.Said)-n, 0):]), r.Parts...)
	}
	if _, ok := a.markers["preamble"]; ok {
		r.Parts = append(append(words("Of course, here it goes on: "), words(a.Said[max(len(a.Said)-60, 0):])...), r.Parts...)
	}
}
