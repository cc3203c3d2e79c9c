package fastlane

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What net/http cannot read as a request it answers by itself, in plain text and in one write, which has these lines after the
// first and nothing else (net/http/server.go, (*conn).serve). Answers of a handler have a date.
const plainWords = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// maxWords is more than such an answer has.
const maxWords = 512

// statusLine is how its first line begins.
var statusLine = []byte("HTTP/1.1 ")

// Write writes, and has what net/http says of a request that it cannot read said in other words.
func (b *begun) Write(p []byte) (int, error) {
	if b.malformed != nil && len(p) <= maxWords && bytes.HasPrefix(p, statusLine) { // few of HTTP/2's many small writes are that
		if status, why, ok := refusal(string(p[len(statusLine):])); ok {
			if _, err := b.Conn.Write(b.inOtherWords(status, why)); err != nil {
				return 0, err //nolint:wrapcheck // a connection passes its errors on
			}
			return len(p), nil
		}
	}
	return b.Conn.Write(p) //nolint:wrapcheck // as above
}

// refusal takes an answer of net/http's own apart, behind the first words of its status line.
func refusal(p string) (status int, why string, ok bool) {
	head, why, ok := strings.Cut(p, plainWords)
	code, _, _ := strings.Cut(head, " ")
	status, err := strconv.Atoi(code)
	return status, strings.TrimPrefix(why, code+" "), ok && err == nil && !strings.Contains(head, "\r\n")
}

// inOtherWords is an answer to the request that was begun, of which only the first line is known to be readable.
func (b *begun) inOtherWords(status int, why string) []byte {
	r := &http.Request{
		URL: &url.URL{Path: "/"}, Header: http.Header{}, Body: http.NoBody, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: b.RemoteAddr().String(),
	}
	if words := strings.Fields(string(b.line)); len(words) > 1 {
		r.Method = words[0]
		if u, err := url.ParseRequestURI(words[1]); err == nil {
			r.URL = u
		}
	}
	said := page{header: http.Header{}}
	b.malformed(&said, r, status, why)
	said.header.Set("Connection", "close")
	said.header.Set("Content-Length", strconv.Itoa(said.body.Len()))
	said.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	out := bytes.NewBufferString("HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n")
	_ = said.header.Write(out) // a buffer takes all
	out.WriteString("\r\n")
	out.Write(said.body.Bytes())
	return out.Bytes()
}

// maxLine is how much of a request's first line is kept for its answer.
const maxLine = 2 << 10

// keep keeps the first line.
func (b *begun) keep(p []byte) {
	if b.malformed == nil || b.whole {
		return
	}
	end := bytes.IndexByte(p, '\n')
	if b.whole = end >= 0; b.whole {
		p = p[:end]
	}
	room := maxLine - len(b.line)
	b.line = append(b.line, p[:min(len(p), room)]...)
	b.whole = b.whole || len(b.line) == maxLine
}

// page is an answer that is put together.
type page struct {
	header http.Header
	body   bytes.Buffer
}

// Header is what goes out above it.
func (p *page) Header() http.Header { return p.header }

// WriteHeader does nothing: the status is given.
func (p *page) WriteHeader(int) {}

// Write adds to it.
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }
