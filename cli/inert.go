package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// inert writes what others may have worded: names from a catalog, an invoice, the ledger, a gateway's answer. Characters
// that tell a terminal to do something, or show text in another order, are escaped as JSON has it.
type inert struct{ w io.Writer }

// Write writes b. A character must not be cut in two.
func (i inert) Write(b []byte) (int, error) {
	clean := make([]byte, 0, len(b))
	for rest := b; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == '\n' || r == '\t':
			clean = append(clean, byte(r))
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			clean = fmt.Appendf(clean, `\u%04x`, r)
		default:
			clean = utf8.AppendRune(clean, r) // what is no character, as the one that says so
		}
		rest = rest[size:]
	}
	if _, err := i.w.Write(clean); err != nil {
		return 0, err //nolint:wrapcheck // a writer passes the error of the one behind it on
	}
	return len(b), nil
}

// table writes rows whose cells end in tabs.
func (s *session) table() *tabwriter.Writer {
	return tabwriter.NewWriter(inert{s.out}, 0, 0, 2, ' ', 0)
}

// cell is a text as it can stand in a row: line ends and tabs are escaped, too.
func cell(text string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`, "\f", `\f`).Replace(text)
}
