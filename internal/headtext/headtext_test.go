package headtext

import (
	"bytes"
	"net/textproto"
	"testing"
)

// TestFieldText holds what is looked at eight bytes at once to what is said of each: names and values of all lengths with each byte
// in each place, beside bytes from which a carry might come.
func TestFieldText(t *testing.T) {
	t.Parallel()
	for _, beside := range []byte{'a', ' ', '\t', '!', '~', 0x80, 0xff} {
		for length := 1; length <= 17; length++ {
			for place := range length {
				for b := range 256 {
					text := bytes.Repeat([]byte{beside}, length)
					text[place] = byte(b)
					if got, want := IsFieldValue(string(text)), !bytes.ContainsFunc(text, isControl); got != want {
						t.Fatalf("%q is a value: got %v, want %v", text, got, want)
					}
				}
			}
		}
	}
	for _, name := range []string{"a", "A", "Accept", "accept", "ACCEPT", "X-Request-Id", "x-Request-Id", "X-Request-ID", "X-", "-", "Etag", "ETag", "1-a"} {
		if got, want := FieldName(name), textproto.CanonicalMIMEHeaderKey(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	for _, none := range []string{"", " ", "a b", "a\x80", "a:", "a\r"} {
		if got := FieldName(none); got != "" {
			t.Errorf("%q: got the name %q, want none", none, got)
		}
	}
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
