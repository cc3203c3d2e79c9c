package transport

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// plainHead reads the head of an answer as nearly all have it: at hand in one piece, of a status that
// has a body, whose length it says, and with nothing in it that could be read in two ways. It
// costs a third of what http.ReadResponse does. It is false, with nothing taken from the line, for all others.
func (l *line) plainHead(a *plainAnswer) bool {
	if _, err := l.reader.Peek(1); err != nil {
		return false
	}
	text, _ := l.reader.Peek(l.reader.Buffered()) // what is buffered can be had
	end := bytes.Index(text, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	if !a.read(string(text[:end+len("\r\n")])) {
		return false
	}
	if _, err := l.reader.Discard(end + len("\r\n\r\n")); err != nil {
		return false
	}
	a.body = sized{l: l, left: a.resp.ContentLength}
	a.resp.Body = &a.body
	return true
}

// plainAnswer is an answer with its body.
type plainAnswer struct {
	resp http.Response
	body sized
	room [12]string // for as many fields as there mostly are
}

// read reads lines that each end in CRLF. It takes no answer without a body (RFC 9112 section 6.3).
func (a *plainAnswer) read(head string) bool {
	const version = "HTTP/1.1 "
	status, rest, _ := strings.Cut(head, "\r\n")
	code, reason, _ := strings.Cut(strings.TrimPrefix(status, version), " ")
	n, err := strconv.Atoi(code)
	if err != nil || !strings.HasPrefix(status, version) || len(code) != 3 || n < 200 || n > 599 || !isFieldValue(reason) ||
		n == http.StatusNoContent || n == http.StatusNotModified {
		return false
	}
	lines := strings.Count(rest, "\n")
	a.resp = http.Response{
		StatusCode: n, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, lines), ContentLength: -1,
	}
	resp, values := &a.resp, a.room[:]
	if lines > len(values) {
		values = make([]string, lines)
	}
	for i := 0; rest != ""; i++ {
		var field string
		field, rest, _ = strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(field, ":")
		value, ends := strings.CutSuffix(value, "\r")
		name, value = fieldName(name), trim(value)
		if !ok || !ends || name == "" || !isFieldValue(value) {
			return false
		}
		if !frames(resp, name, value) {
			return false
		}
		if before := resp.Header[name]; before != nil {
			resp.Header[name] = append(before, value)
			continue
		}
		values[i] = value
		resp.Header[name] = values[i : i+1 : i+1]
	}
	return resp.ContentLength >= 0
}

// frames notes what a field says of where the body ends and of what follows. It is false for
// what takes more than a look.
func frames(resp *http.Response, name, value string) bool {
	switch name {
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil || value[0] == '+' || resp.ContentLength >= 0 {
			return false
		}
		resp.ContentLength = int64(n)
	case "Connection":
		resp.Close = strings.EqualFold(value, "close")
		return resp.Close || strings.EqualFold(value, "keep-alive")
	case "Transfer-Encoding", "Trailer", "Upgrade":
		return false
	}
	return true
}

// trim is a field's value without the spaces around it.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// tokens are the bytes of tokens (RFC 9110 section 5.6.2), a bit for each.
var tokens = [4]uint64{0x03ff6cfa00000000, 0x57ffffffc7fffffe}

// fieldName is a field's name as headers have it; empty if s can be none.
func fieldName(s string) string {
	upper, differs := true, false
	for i := range len(s) {
		c := s[i]
		if tokens[c>>6]>>(c&63)&1 == 0 {
			return ""
		}
		differs = differs || upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z'
		upper = c == '-'
	}
	if differs {
		return textproto.CanonicalMIMEHeaderKey(s)
	}
	return s
}

// isFieldValue reports whether s can be a field's value, on one line.
func isFieldValue(s string) bool {
	const each = 0x0101010101010101
	for len(s) >= 8 { // eight at once, as long as all are text
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		del := x ^ 0x7f*each
		if ((x-' '*each)&^x|(del-each)&^del)&(0x80*each) != 0 {
			break
		}
		s = s[8:]
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// sized is a body of known length.
type sized struct {
	l    *line
	left int64
}

// Read reads up to the end of the body, and says with the last bytes that they are the last.
func (s *sized) Read(b []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.l.reader.Read(b[:min(int64(len(b)), s.left)])
	s.left -= int64(n)
	switch {
	case s.left == 0:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	default:
		return n, err //nolint:wrapcheck // a reader passes its source's error on
	}
}

// Close does nothing: the line is closed with what the body is part of.
func (s *sized) Close() error { return nil }
