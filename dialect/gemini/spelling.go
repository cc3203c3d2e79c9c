package gemini

import (
	"fmt"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// camel is a member's name in camelCase: the vendor takes snake_case as well.
func camel(key string) string {
	if strings.IndexByte(key, '_') < 0 {
		return key
	}
	b := make([]byte, 0, len(key))
	up := false
	for i := range len(key) {
		switch c := key[i]; {
		case c == '_':
			up = len(b) > 0
		case up && 'a' <= c && c <= 'z':
			b = append(b, c-'a'+'A')
			up = false
		default:
			b = append(b, c)
			up = false
		}
	}
	return string(b)
}

// snake is a camelCase name in snake_case.
func snake(key string) string {
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// members calls f for each member of an object that is not null, by its name in camelCase. A member that is given in
// both spellings is refused: nobody could tell which one counts.
func members(v jsontext.Value, f func(key string, v jsontext.Value) error) error {
	return v.Object(func(key string, m jsontext.Value) error {
		name := camel(key)
		if name != key && !v.Get(name).IsNull() {
			return fmt.Errorf("it is given as %s too", forms.Excerpt(name, 60))
		}
		if m.IsNull() {
			return nil
		}
		return f(name, m)
	})
}

// get is Value.Get for one member in either spelling.
func get(v jsontext.Value, key string) jsontext.Value {
	if m := v.Get(key); m != nil {
		return m
	}
	if other := snake(key); other != key {
		return v.Get(other)
	}
	return nil
}

// each calls f for every element of a list. The vendor takes a single element for a list of one.
func each(v jsontext.Value, f func(v jsontext.Value) error) error {
	if v.Kind() == jsontext.Object {
		return f(v)
	}
	return v.Array(func(_ int, v jsontext.Value) error { return f(v) })
}
