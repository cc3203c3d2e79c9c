// Package sse reads and writes server-sent events: the framing in which model vendors stream.
// Reader follows the parsing rules of the WHATWG HTML standard, section "Server-sent events" (lines
// end at CRLF, LF or CR; one leading byte order mark; comments; several data lines), and hands out
// the received bytes beside the parsed event, so that a stream can be relayed byte for byte.
//
// An event is delivered as soon as the empty line that ends it is known, also when that line ends
// with a CR and nothing follows yet. When an LF then turns out to follow that CR, it stands at the
// start of the next event's Raw, where it means nothing; when it is already here, it ends this
// event's Raw. Empty lines before an event belong to that event's Raw.
//
// The package knows no vendor's events and does not speak HTTP.
package sse

import "bytes"

var bom = []byte("\xef\xbb\xbf")

// Append adds one event to dst and returns the extended slice. An empty name writes no event line.
// Data is written as one data line for each of its lines (ended by LF, CR or CRLF), so it reads back
// with LF between them. A name is cut at its first line ending.
func Append(dst []byte, name string, data []byte) []byte {
	if name != "" {
		line, _ := cutLine([]byte(name))
		dst = append(append(append(dst, "event: "...), line...), '\n')
	}
	return append(appendLines(dst, "data: ", data), '\n')
}

// AppendComment adds text as a comment block, which readers ignore, to dst and returns the extended
// slice. It serves as a keep-alive or a note.
func AppendComment(dst []byte, text string) []byte {
	return append(appendLines(dst, ": ", []byte(text)), '\n')
}

// WithoutNotes appends raw, the bytes of a block, to dst without those of its comments that begin with a word, in
// whatever case and after whatever white space.
func WithoutNotes(dst, raw []byte, word string) []byte {
	for len(raw) > 0 {
		line, rest := cutLine(raw)
		whole := raw[:len(raw)-len(rest)]
		raw = rest
		note, isNote := bytes.CutPrefix(bytes.TrimPrefix(line, bom), []byte(":"))
		note = bytes.TrimLeft(note, " \t")
		if !isNote || len(note) < len(word) || !bytes.EqualFold(note[:len(word)], []byte(word)) {
			dst = append(dst, whole...)
		}
	}
	return dst
}

// appendLines writes each line of text after prefix. A text that ends with a line ending has an
// empty last line, since that is what reads back as the same text.
func appendLines(dst []byte, prefix string, text []byte) []byte {
	for {
		line, rest := cutLine(text)
		dst = append(append(append(dst, prefix...), line...), '\n')
		if len(line) == len(text) {
			return dst
		}
		text = rest
	}
}

// Sniff reports whether b, the first bytes of a body, look like an event stream: after an optional
// byte order mark and empty lines comes a comment or a field of the standard. Six bytes past the
// empty lines are enough.
func Sniff(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, bom), "\r\n")
	for _, p := range [...]string{":", "data:", "event:", "id:", "retry:"} {
		if len(b) >= len(p) && string(b[:len(p)]) == p {
			return true
		}
	}
	return false
}
