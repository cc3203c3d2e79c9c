package fastlane

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/internal/headtext"
)

var (
	lineEnd = []byte("\r\n")
	headEnd = []byte("\r\n\r\n")
)

// head is a plain request, but for its body. It is made in one piece with all that it points to.
type head struct {
	request http.Request
	url     url.URL
	room    [8]string // for the values of as many fields as there mostly are
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
func (h *head) parse(text string) bool {
	line, rest, _ := strings.Cut(text, "\r\n")
	if !h.parseLine(line) {
		return false
	}
	n := strings.Count(rest, "\n")
	r := &h.request
	r.Header, r.ContentLength = make(http.Header, max(n-1, 0)), -1 // the host is no part of it
	values := h.room[:]
	if n > len(values) {
		values = make([]string, n)
	}
	for i := 0; rest != ""; i++ {
		line, rest, _ = strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(line, ":")
		value, ends := strings.CutSuffix(value, "\r")
		name, value = headtext.FieldName(name), headtext.Trim(value)
		if !ok || !ends || name == "" || !headtext.IsFieldValue(value) {
			return false
		}
		if !take(r, name, value) {
			return false
		}
		if name == "Host" {
			continue
		}
		if before := r.Header[name]; before != nil {
			r.Header[name] = append(before, value)
			continue
		}
		values[i] = value
		r.Header[name] = values[i : i+1 : i+1]
	}
	r.ContentLength = max(r.ContentLength, 0)
	return r.Host != ""
}

// parseLine reads the first line. The target must be a path, so that the host is the header's.
func (h *head) parseLine(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if version != "HTTP/1.1" || !headtext.IsToken(method) || method == http.MethodConnect || !strings.HasPrefix(target, "/") {
		return false
	}
	h.request.Method, h.request.RequestURI, h.request.URL = method, target, &h.url
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
func take(r *http.Request, name, value string) bool {
	switch name {
	case "Host":
		ok := r.Host == "" && isHost(value)
		r.Host = value
		return ok
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil || value[0] == '+' || r.ContentLength >= 0 {
			return false
		}
		r.ContentLength = int64(n)
	case "Connection":
		isClose := strings.EqualFold(value, "close")
		r.Close = r.Close || isClose
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
