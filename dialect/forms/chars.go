package forms

import (
	"sort"
	"unicode/utf8"
)

// Chars is a text whose characters are found by number, and numbered by place, without counting from its beginning each
// time. The zero value is an empty text.
type Chars struct {
	text  []byte
	marks []int // where each of the characters is whose number can be divided by everyMark
	count int
}

const everyMark = 64

// CharsOf returns the characters of s.
func CharsOf(s string) *Chars {
	var c Chars
	c.Add(s)
	return &c
}

// Add appends whole characters.
func (c *Chars) Add(s string) {
	at := len(c.text)
	c.text = append(c.text, s...)
	for i := range s {
		if c.count%everyMark == 0 {
			c.marks = append(c.marks, at+i)
		}
		c.count++
	}
}

// Text is all of the text. It is good until more is added.
func (c *Chars) Text() []byte { return c.text }

// Count is the number of characters.
func (c *Chars) Count() int { return c.count }

// At returns where character n is, in bytes: the text's length if it has no such character.
func (c *Chars) At(n int) int {
	if n = max(n, 0); n >= c.count {
		return len(c.text)
	}
	at := c.marks[n/everyMark]
	for range n % everyMark {
		_, size := utf8.DecodeRune(c.text[at:])
		at += size
	}
	return at
}

// Before returns how many characters begin before a place in bytes.
func (c *Chars) Before(at int) int {
	at = min(max(at, 0), len(c.text))
	mark := sort.SearchInts(c.marks, at)
	if mark == 0 {
		return 0
	}
	return (mark-1)*everyMark + utf8.RuneCount(c.text[c.marks[mark-1]:at])
}

// Span converts a span in characters, which may be empty for the whole, to bytes.
func (c *Chars) Span(start, end int) (from, to int) {
	if start >= end {
		return 0, len(c.text)
	}
	from, to = c.At(start), c.At(end)
	return from, to
}
