package transport

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/internal/headtext"
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
	if err != nil || !strings.HasPrefix(status, version) || len(code) != 3 || n < 200 || n > 599 || !headtext.IsFieldValue(reason) ||
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
		name, value = headtext.FieldName(name), headtext.Trim(value)
		if !ok || !ends || name == "" || !headtext.IsFieldValue(value) {
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
