package transport

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// differs compares what is read of an answer here and by net/http: heads, framing, body and what is left on the line.
// It is empty where the answer is left to net/http, too.
func differs(raw string) (plain bool, difference string) {
	l := &line{reader: bufio.NewReaderSize(strings.NewReader(raw), ioBuffer)}
	var a plainAnswer
	got := &a.resp
	if !l.plainHead(&a) {
		if l.reader.Buffered() != min(len(raw), ioBuffer) {
			return false, "bytes were taken from an answer that is left to net/http"
		}
		return false, ""
	}
	theirs := bufio.NewReaderSize(strings.NewReader(raw), ioBuffer)
	want, err := http.ReadResponse(theirs, &http.Request{Method: http.MethodPost})
	if err != nil {
		return true, "net/http: " + err.Error()
	}
	defer func() { _ = want.Body.Close() }()
	// net/http takes out what belongs to the connection.
	header := maps.Clone(got.Header)
	delete(header, "Connection")
	delete(want.Header, "Connection")
	switch {
	case got.StatusCode != want.StatusCode, got.ContentLength != want.ContentLength, got.Close != want.Close, len(want.TransferEncoding) > 0:
		return true, "another status, length or end of the connection"
	case !maps.EqualFunc(header, want.Header, slices.Equal[[]string]):
		return true, "other fields"
	}
	gotBody, gotErr := io.ReadAll(got.Body)
	wantBody, wantErr := io.ReadAll(want.Body)
	gotRest, _ := io.ReadAll(l.reader)
	wantRest, _ := io.ReadAll(theirs)
	switch {
	case string(gotBody) != string(wantBody) || !errors.Is(gotErr, wantErr):
		return true, "another body"
	case gotErr == nil && string(gotRest) != string(wantRest):
		return true, "the next answer begins elsewhere"
	}
	return true, ""
}

func TestPlainHead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		raw   string
		plain bool
	}{
		"an answer":                 {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1", true},
		"an error":                  {"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\nConnection: close\r\n\r\n", true},
		"fields that repeat":        {"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\nContent-Length: 2\r\n\r\n{}", true},
		"no reason":                 {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", true},
		"white space":               {"HTTP/1.1 200 OK\r\nA:\t 1 \t\r\nContent-Length: 2\r\n\r\n{}", true},
		"a body that breaks off":    {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", true},
		"chunks":                    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		"chunks and a length":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		"no length":                 {"HTTP/1.1 200 OK\r\n\r\n{}", false},
		"two lengths":               {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", false},
		"a length with a sign":      {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", false},
		"a list of lengths":         {"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", false},
		"an empty length":           {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}", false},
		"a body where there's none": {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", false},
		"informational":             {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		"an old version":            {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
		"a folded field":            {"HTTP/1.1 200 OK\r\nA: 1\r\n b\r\nContent-Length: 2\r\n\r\n{}", false},
		"a space before the colon":  {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}", false},
		"a bare line feed":          {"HTTP/1.1 200 OK\r\nA: 1\nContent-Length: 2\r\n\r\n{}", false},
		"a control character":       {"HTTP/1.1 200 OK\r\nA: 1\x00\r\nContent-Length: 2\r\n\r\n{}", false},
		"a strange connection":      {"HTTP/1.1 200 OK\r\nConnection: close, x\r\nContent-Length: 2\r\n\r\n{}", false},
		"no end":                    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", false},
		"nothing":                   {"", false},
	} {
		plain, difference := differs(test.raw)
		if plain != test.plain || difference != "" {
			t.Errorf("%s: got plain %v want %v; beside net/http: %q want no difference", name, plain, test.plain, difference)
		}
	}
}

// What is read here, net/http would read alike.
func FuzzPlainHead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n")
	f.Add("HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\nConnection: close\r\n\r\n")
	f.Add("HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 3\r\nContent-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n{}")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, difference := differs(raw); difference != "" {
			t.Errorf("%q: %s", raw, difference)
		}
	})
}
