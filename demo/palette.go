package demo

import "fmt"

// palette colours text for a terminal; the zero value leaves it plain.
type palette struct{ on bool }

const (
	bold    = "1"
	faint   = "2"
	reverse = "7"
	red     = "31"
	green   = "32"
	amber   = "33"
	cyan    = "36"
)

func (p palette) paint(style, text string) string {
	if !p.on || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// failures writes a number of failures, right-aligned: none is good.
func (p palette) failures(n, width int) string {
	style := green
	if n > 0 {
		style = bold + ";" + red
	}
	return p.paint(style, fmt.Sprintf("%*d", width, n))
}
