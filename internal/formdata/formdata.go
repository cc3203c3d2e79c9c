// Package formdata finds, replaces and adds fields in the text of a multipart form (RFC 7578, RFC 2046
// section 5.1.1) and leaves every other byte alone, as files that are uploaded want it. It does
// not decode files, and it does not build forms.
package formdata

import (
	"bytes"
	"mime"
	"net/textproto"
	"strings"
)

// maxValue bounds a field that is read, in bytes: names and numbers, no files.
const maxValue = 64 << 10

// maxHeader bounds the headers of a part, in bytes.
const maxHeader = 16 << 10

// Field is one field of a form.
type Field struct {
	Name       string
	Value      []byte // aliases the form
	start, end int    // of the value, in the form
}

// Boundary returns the boundary of a form's media type; false if it is no form or has none.
func Boundary(contentType string) (string, bool) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/form-data" {
		return "", false
	}
	boundary := params["boundary"]
	return boundary, boundary != "" && len(boundary) <= 70 // RFC 2046
}

// Find returns the fields of a name that are no files, in order. It is false if the form is
// malformed: cut short, or with a part without a name.
func Find(form []byte, boundary, name string) (fields []Field, ok bool) {
	ok = walk(form, boundary, func(f Field, isFile bool) {
		if f.Name == name && !isFile && len(f.Value) <= maxValue {
			fields = append(fields, f)
		}
	})
	return fields, ok
}

// Replace returns the form with another value in a field that Find returned.
func Replace(form []byte, f Field, value string) []byte {
	out := make([]byte, 0, len(form)-len(f.Value)+len(value))
	out = append(append(out, form[:f.start]...), value...)
	return append(out, form[f.end:]...)
}

// Add returns the form, which Find has found to be one, with another field before all others.
func Add(form []byte, boundary, name, value string) []byte {
	at := 0
	if delimiter := "--" + boundary; !bytes.HasPrefix(form, []byte(delimiter)) {
		at = bytes.Index(form, []byte("\r\n"+delimiter)) + 2
	}
	part := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	out := make([]byte, 0, len(form)+len(part))
	return append(append(append(out, form[:at]...), part...), form[at:]...)
}

// walk calls f for each part, and reports whether the form is whole.
func walk(form []byte, boundary string, f func(f Field, isFile bool)) bool {
	delimiter := []byte("\r\n--" + boundary)
	at := 0
	if bytes.HasPrefix(form, delimiter[2:]) {
		at = len(delimiter) - 2
	} else if i := bytes.Index(form, delimiter); i >= 0 { // a preamble, which means nothing
		at = i + len(delimiter)
	} else {
		return false
	}
	for {
		rest := form[at:]
		if bytes.HasPrefix(rest, []byte("--")) {
			return true
		}
		line := bytes.IndexByte(rest, '\n')
		if line < 0 || len(bytes.TrimSpace(rest[:line])) > 0 {
			return false // white space may follow a boundary, and nothing else
		}
		at += line + 1
		headers := bytes.Index(form[at-2:], []byte("\r\n\r\n")) // a part without headers begins with it
		if headers < 0 {
			return false
		}
		begin := at - 2 + headers + 4
		name, isFile, ok := disposition(form[at:max(at, begin-2)])
		length := bytes.Index(form[begin-2:], delimiter)
		if !ok || length < 0 {
			return false
		}
		end := max(begin, begin-2+length)
		f(Field{Name: name, Value: form[begin:end], start: begin, end: end}, isFile)
		at = begin - 2 + length + len(delimiter)
	}
}

// disposition reads what a part's headers call it. Whoever reads the form next must read the same, so
// there is one name, on a line of its own.
func disposition(headers []byte) (name string, isFile, ok bool) {
	if len(headers) > maxHeader {
		return "", false, false
	}
	if name, ok := plainDisposition(headers); ok {
		return name, false, true
	}
	for line := range bytes.SplitSeq(headers, []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n") {
			return "", false, false
		}
		key, value, found := strings.Cut(string(line), ":")
		if !found || textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(key)) != "Content-Disposition" {
			continue
		}
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(value))
		if err != nil || kind != "form-data" || ok {
			return "", false, false
		}
		_, isFile = params["filename"]
		if name, ok = params["name"]; !ok {
			return "", false, false
		}
	}
	return name, isFile, ok
}

// plainDisposition reads headers that are no more than a name in quotes, of letters, digits and a few marks that need
// nothing read twice, as nearly all clients write them.
func plainDisposition(headers []byte) (name string, ok bool) {
	quoted, ok := bytes.CutPrefix(bytes.TrimSuffix(headers, []byte("\r\n")), []byte(`Content-Disposition: form-data; name="`))
	if !ok || !bytes.HasSuffix(quoted, []byte(`"`)) {
		return "", false
	}
	quoted = quoted[:len(quoted)-1]
	for _, c := range quoted {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.', c == '[', c == ']':
		default:
			return "", false
		}
	}
	return string(quoted), true
}
