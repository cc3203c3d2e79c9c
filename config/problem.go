package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/provider"
)

// Problem is one thing wrong with a config file.
type Problem struct {
	File         string // as it was named; empty without a file
	Line, Column int    // from 1; 0 where it is about the whole file
	Message      string // what was found and what is wanted
	Hint         string // the next step, where there is one
}

// Error returns the problem with its place, as compilers write it.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			b.WriteString(":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column))
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Problems is everything wrong with a config file, in the order of its lines.
type Problems []Problem

// Error returns the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err sorts the problems and returns them as an error; nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ps
}

// position is a place in the file, from 1.
type position struct{ line, column int }

// didYouMean returns a hint at the name in known that is nearest to got, if one is
// near enough to be meant.
func didYouMean(got string, known []string) string {
	best := provider.Nearest(got, known)
	if best == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(best) + "?"
}
