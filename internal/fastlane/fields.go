package fastlane

import (
	"bufio"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// putHead puts out the status and the header. p is the beginning of the body, all of it if the handler has
// returned.
func (r *response) putHead(p []byte) {
	r.begun = true
	h := r.header
	if r.sent != nil {
		h = r.sent
	}
	body := hasBody(r.status)
	own := ownFields{}
	if r.over && body && (!r.isHead || len(p) > 0) && !has(h, "Content-Length") && !hasTrailers(h) {
		r.length, own.length = int64(len(p)), true
	}
	drop := r.settleClose(h, &own) | framing
	if body && len(p) > 0 && !has(h, "Content-Type") && h.Get("Content-Encoding") == "" {
		own.contentType = http.DetectContentType(p)
	}
	if r.status == http.StatusNotModified {
		drop |= contentType
	}
	if !body {
		drop |= contentLength
	} else if !r.isHead && r.length < 0 {
		r.chunked, own.chunked = true, true
		drop |= contentLength
	}
	own.date = !has(h, "Date")
	out := r.x.c.buffer()
	putStatus(out, r.status)
	putFields(out, h, drop)
	if own.date {
		putField(out, "Date", r.x.c.s.date())
	}
	own.put(out, r.length)
	_, _ = out.WriteString("\r\n") // the writer keeps the error
}

// settleClose decides whether the connection is closed after the answer. Before an answer begins, what is left of
// the request is read.
func (r *response) settleClose(h http.Header, own *ownFields) (drop dropped) {
	asked := h.Get("Connection")
	ending := r.x.c.s.over.Load()
	if asked == "close" || ending {
		r.close = true
	}
	if !r.close {
		mayFollow, tooMuch := r.x.body.forAnswer()
		r.tooMuch = tooMuch
		r.close = !mayFollow || tooMuch
	}
	if r.close && (ending || r.tooMuch || !isClose(asked)) {
		own.close = true
		return connection
	}
	return 0
}

// isClose reports whether a Connection header says that it is closed.
func isClose(value string) bool {
	for option := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.TrimSpace(option), "close") {
			return true
		}
	}
	return false
}

func has(h http.Header, name string) bool {
	_, ok := h[name]
	return ok
}

func hasTrailers(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

func putStatus(out *bufio.Writer, status int) {
	var number [4]byte
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	_, _ = out.WriteString("HTTP/1.1 ") // the writer keeps the error of this and what follows
	_, _ = out.Write(append(strconv.AppendInt(number[:0], int64(status), 10), ' '))
	_, _ = out.WriteString(text)
	_, _ = out.WriteString("\r\n")
}

// dropped are fields of a handler's header that are not put out.
type dropped int

const (
	framing       dropped = 1 << iota // Transfer-Encoding
	contentLength                     // Content-Length
	contentType                       // Content-Type
	connection                        // Connection
	none          dropped = 0
)

func (d dropped) has(name string) bool {
	switch name {
	case "Transfer-Encoding":
		return d&framing != 0
	case "Content-Length":
		return d&contentLength != 0
	case "Content-Type":
		return d&contentType != 0
	case "Connection":
		return d&connection != 0
	}
	return strings.HasPrefix(name, http.TrailerPrefix)
}

// putFields puts out a header in the order of names.
func putFields(out *bufio.Writer, h http.Header, drop dropped) {
	var room [16]string
	names := room[:0]
	for name := range h {
		if isToken(name) && !drop.has(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			putField(out, name, oneLine(value))
		}
	}
}

func putField(out *bufio.Writer, name, value string) {
	_, _ = out.WriteString(name) // the writer keeps the error of this and what follows
	_, _ = out.WriteString(": ")
	_, _ = out.WriteString(value)
	_, _ = out.WriteString("\r\n")
}

// oneLine is a field's value on one line, whatever is in it.
func oneLine(value string) string {
	if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return trim(value)
}

// ownFields are those that a handler leaves to the server.
type ownFields struct {
	date, length, close, chunked bool
	contentType                  string
}

func (o *ownFields) put(out *bufio.Writer, length int64) {
	if o.length {
		putField(out, "Content-Length", strconv.FormatInt(length, 10))
	}
	if o.contentType != "" {
		putField(out, "Content-Type", o.contentType)
	}
	if o.close {
		putField(out, "Connection", "close")
	}
	if o.chunked {
		putField(out, "Transfer-Encoding", "chunked")
	}
}

// second is the time of day as it stands in the header of all answers of one second.
type second struct {
	unix int64
	text string
}

func (s *Server) date() string {
	now := time.Now()
	if last := s.now.Load(); last != nil && last.unix == now.Unix() {
		return last.text
	}
	text := now.UTC().Format(http.TimeFormat)
	s.now.Store(&second{now.Unix(), text})
	return text
}

// inform puts out an informational answer at once. Others follow it.
func (r *response) inform(status int) {
	out := r.x.c.buffer()
	putStatus(out, status)
	putFields(out, r.header, framing|contentLength)
	_, _ = out.WriteString("\r\n") // as above
	_ = r.x.c.flush()
}
