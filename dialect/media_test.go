package dialect

import (
	"testing"
)

func TestBase64Spellings(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"AA+/", "AA+/"}, {"AA-_", "AA+/"}, {"AA\n+/ ", "AA+/"}, {"QQ", "QQ=="}, {"QQ==", "QQ=="}, {"", ""},
	} {
		if got, err := PlainBase64(tc.in); err != nil || got != tc.want {
			t.Errorf("%q: got %q, %v want %q", tc.in, got, err, tc.want)
		}
	}
	for _, in := range []string{"A", "A===", "A*==", "AAAA=AAA", "é"} {
		if got, err := PlainBase64(in); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func TestSniff(t *testing.T) {
	for data, want := range map[string]string{
		"iVBORw0KGgo=": "image/png", "/9j/4AAQ": "image/jpeg", "R0lGODlh": "image/gif", "JVBERi0x": "application/pdf",
		"UklGRiQAAABXRUJQVlA4": "image/webp", "UklGRiQAAABXQVZFZm10": "audio/wav", "UklGRiQAAABBVkkgTElT": "", "aGVsbG8=": "", "AAA": "",
	} {
		if got := SniffMedia(data); got != want {
			t.Errorf("%s: got %q want %q", data, got, want)
		}
	}
}
