package fastlane

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/internal/headtext"
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
	if body && len(p) > 0 && !has(h, "Content-Type") && first(h, "Content-Encoding") == "" {
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
	b := appendFields(appendStatus(out.AvailableBuffer(), r.status), h, drop)
	if own.date {
		b = appendField(b, "Date", r.x.c.s.date())
	}
	b = own.appendTo(b, r.length)
	_, _ = out.Write(append(b, "\r\n"...)) // the writer keeps the error
}

// settleClose decides whether the connection is closed after the answer. Before an answer begins, what is left of
// the request is read.
func (r *response) settleClose(h http.Header, own *ownFields) (drop dropped) {
	asked := first(h, "Connection")
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

// first is http.Header.Get for a name that is written as headers have it.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
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

func appendStatus(b []byte, status int) []byte {
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	b = append(strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10), ' ')
	return append(append(b, text...), "\r\n"...)
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

// appendFields puts out a header in the order of names: few of them are put in their places as they come.
func appendFields(b []byte, h http.Header, drop dropped) []byte {
	type field struct {
		name   string
		values []string
	}
	var room [16]field
	fields := room[:0]
	for name, values := range h {
		if !headtext.IsToken(name) || drop.has(name) {
			continue
		}
		i := len(fields)
		fields = append(fields, field{})
		for ; 0 < i && i < len(room) && fields[i-1].name > name; i-- {
			fields[i] = fields[i-1]
		}
		fields[i] = field{name, values}
	}
	if len(fields) > len(room) {
		slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	}
	for _, f := range fields {
		for _, value := range f.values {
			b = appendField(b, f.name, oneLine(value))
		}
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// oneLine is a field's value on one line, whatever is in it.
func oneLine(value string) string {
	if !headtext.IsFieldValue(value) {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return headtext.Trim(value)
}

// ownFields are those that a handler leaves to the server.
type ownFields struct {
	date, length, close, chunked bool
	contentType                  string
}

func (o *ownFields) appendTo(b []byte, length int64) []byte {
	if o.length {
		b = appendField(b, "Content-Length", strconv.FormatInt(length, 10))
	}
	if o.contentType != "" {
		b = appendField(b, "Content-Type", o.contentType)
	}
	if o.close {
		b = appendField(b, "Connection", "close")
	}
	if o.chunked {
		b = appendField(b, "Transfer-Encoding", "chunked")
	}
	return b
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
	b := appendFields(appendStatus(out.AvailableBuffer(), status), r.header, framing|contentLength)
	_, _ = out.Write(append(b, "\r\n"...)) // as above
	_ = r.x.c.flush()
}
