package dialect

import "strings"

// Names are the member names of a dialect, by their folded form.
type Names map[string]string

// NamesOf collects the names in a table of fields, and more that it does not list.
func NamesOf(fields []Field, more ...string) Names {
	n := make(Names, len(fields)+len(more))
	for _, f := range fields {
		more = append(more, strings.Split(strings.ReplaceAll(f.Path, "[]", ""), ".")...)
	}
	for _, name := range more {
		n[folded(name)] = name
	}
	return n
}

// IsVariant reports whether key differs from one of the names only by case. Beside
// that name it would make an object ambiguous: some readers ignore case.
func (n Names) IsVariant(key string) bool {
	name, ok := n[folded(key)]
	return ok && name != key
}

// folded makes names equal that differ by case alone, the long s and the Kelvin sign
// included.
func folded(s string) string { return strings.ToLower(strings.ToUpper(s)) }
