package fakeprovider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// object is a decoded JSON object; numbers are json.Number.
type object = map[string]any

// check collects the first complaint about a request.
type check struct {
	err *Error
	lax bool
}

// fail keeps the first complaint. Status 400 and the vendors' invalid_request_error are the rule.
func (c *check) fail(param, code, format string, args ...any) {
	if c.err == nil {
		c.err = &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Code: code, Param: param, Message: fmt.Sprintf(format, args...)}
	}
}

// decodeObject reads a body that must be one JSON object.
func decodeObject(body []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var o object
	if err := dec.Decode(&o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errors.New("null")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("bytes after the object")
	}
	return o, nil
}

// unknown returns the first key of o that is not in known, in alphabetical order.
func unknown(o object, known ...string) string {
	var first string
	for key := range o {
		if !slices.Contains(known, key) && (first == "" || key < first) {
			first = key
		}
	}
	return first
}

func str(o object, key string) string {
	s, _ := o[key].(string)
	return s
}

func list(o object, key string) []any {
	l, _ := o[key].([]any)
	return l
}

func obj(o object, key string) object {
	m, _ := o[key].(object)
	return m
}

// has reports whether key is present and not null.
func has(o object, key string) bool { return o[key] != nil }

// count returns an integer field; ok is false when it is present but not a whole number.
func count(o object, key string) (n int, ok bool) {
	v, present := o[key]
	if !present || v == nil {
		return 0, true
	}
	num, isNum := v.(json.Number)
	if !isNum {
		return 0, false
	}
	i, err := num.Int64()
	return int(i), err == nil
}

var idChars = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// isName reports whether something that has at most so many characters may be called so.
func isName(s string, most int) bool { return len(s) <= most && idChars.MatchString(s) }

var imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

// dataURI splits a base64 data URI.
func dataURI(uri string) (mediaType string, content []byte, err error) {
	rest, ok := strings.CutPrefix(uri, "data:")
	head, payload, comma := strings.Cut(rest, ",")
	if !ok || !comma || !strings.HasSuffix(head, ";base64") {
		return "", nil, errors.New("not a base64 data URI")
	}
	mediaType, _, err = mime.ParseMediaType(strings.TrimSuffix(head, ";base64"))
	if err != nil {
		return "", nil, fmt.Errorf("read media type: %w", err)
	}
	content, err = base64.StdEncoding.DecodeString(payload)
	return mediaType, content, err
}

// imageType tells an image's type by its first bytes, "" when it is none of the four.
func imageType(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG")):
		return "image/png"
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(b, []byte("GIF8")):
		return "image/gif"
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return "image/webp"
	}
	return ""
}

// text joins the text of a content value: a string or a list of parts.
func text(content any) string {
	if s, ok := content.(string); ok {
		return s
	}
	parts, _ := content.([]any)
	var all []string
	for _, p := range parts {
		if m, ok := p.(object); ok && has(m, "text") {
			all = append(all, str(m, "text"))
		}
	}
	return strings.Join(all, "\n")
}
