package fastlane

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

var (
	lineEnd = []byte("\r\n")
	headEnd = []byte("\r\n\r\n")
)

// head is the head of a plain request.
type head struct {
	method, target, host string
	url                  url.URL
	header               http.Header
	length               int64 // of the body
	close                bool  // the client wants no other request answered
}

// couldBePlain reports whether what there is of a head may become a plain one. It spares net/http's answer to
// what cannot the wait for an end that need not come.
func couldBePlain(text []byte) bool {
	for i, b := range text {
		if b == '\n' && (i == 0 || text[i-1] != '\r') || b < ' ' && b != '\n' && b != '\r' && b != '\t' {
			return false
		}
	}
	line, _, whole := bytes.Cut(text, lineEnd)
	if !whole {
		return len(text) == 0 || text[0] > ' '
	}
	var h head
	return h.parseLine(string(line))
}

// parse reads lines that each end in CRLF. It is false for what is not plain: net/http knows whether it is a
// request at all.
func parse(text string) (h head, ok bool) {
	line, rest, _ := strings.Cut(text, "\r\n")
	if !h.parseLine(line) {
		return h, false
	}
	n := strings.Count(rest, "\n")
	h.header, h.length = make(http.Header, n), -1
	values := make([]string, n)
	for i := 0; rest != ""; i++ {
		line, rest, _ = strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(line, ":")
		value, ends := strings.CutSuffix(value, "\r")
		value = trim(value)
		if !ok || !ends || !isToken(name) || !isFieldValue(value) {
			return h, false
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if !h.take(name, value) {
			return h, false
		}
		if before := h.header[name]; before != nil {
			h.header[name] = append(before, value)
			continue
		}
		if name == "Host" {
			continue // it is no part of a request's header
		}
		values[i] = value
		h.header[name] = values[i : i+1 : i+1]
	}
	h.length = max(h.length, 0)
	return h, h.host != ""
}

// parseLine reads the first line. The target must be a path, so that the host is the header's.
func (h *head) parseLine(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if version != "HTTP/1.1" || !isToken(method) || method == http.MethodConnect || !strings.HasPrefix(target, "/") {
		return false
	}
	h.method, h.target = method, target
	if isPlainPath(target) {
		h.url = url.URL{Path: target}
		return true
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false
	}
	h.url = *u
	return true
}

// take notes what a field says of the request. It is false for what takes more than a look.
func (h *head) take(name, value string) bool {
	switch name {
	case "Host":
		ok := h.host == "" && isHost(value)
		h.host = value
		return ok
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil || value[0] == '+' || h.length >= 0 {
			return false
		}
		h.length = int64(n)
	case "Connection":
		isClose := strings.EqualFold(value, "close")
		h.close = h.close || isClose
		return isClose || strings.EqualFold(value, "keep-alive")
	case "Transfer-Encoding", "Trailer", "Upgrade", "Expect", "Pragma":
		return false
	}
	return true
}

// isPlainPath reports whether a target is a path that stands for itself.
func isPlainPath(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '/' || c == '-' || c == '_' || c == '.':
		default:
			return false
		}
	}
	return true
}

// isHost reports whether s is a host as they mostly are, with or without a port.
func isHost(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-' || c == '.' || c == '_' || c == ':' || c == '[' || c == ']':
		default:
			return false
		}
	}
	return s != ""
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

// isToken reports whether s can be a field's name.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; tokens[c>>6]>>(c&63)&1 == 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s can be a field's value, on one line.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
