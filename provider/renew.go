package provider

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Change is what a newer catalog makes of the models of a service, by their ids.
type Change struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"`
	Gone    []string `json:"gone"`
}

// IsZero reports whether nothing changes.
func (c Change) IsZero() bool { return len(c.Added)+len(c.Changed)+len(c.Gone) == 0 }

// Compare says what is different in now.
func Compare(before, now []Model) Change {
	c := Change{Added: []string{}, Changed: []string{}, Gone: []string{}} // lists in JSON, never null
	for _, m := range now {
		switch i := indexOf(before, m.ID); {
		case i < 0:
			c.Added = append(c.Added, m.ID)
		case len(differing(before[i], m)) > 0:
			c.Changed = append(c.Changed, m.ID)
		}
	}
	for _, m := range before {
		if indexOf(now, m.ID) < 0 {
			c.Gone = append(c.Gone, m.ID)
		}
	}
	return c
}

func indexOf(models []Model, id string) int {
	return slices.IndexFunc(models, func(m Model) bool { return m.ID == id })
}

// Renew returns the text of a models.yaml with other models and another date. What
// stands above the models stays as it is, to the byte.
func Renew(text []byte, models []Model, date string) ([]byte, error) {
	var out []byte
	dated, below := false, false
	for line := range bytes.Lines(text) {
		switch key := topKey(line); {
		case below && key != "":
			return nil, fmt.Errorf("got key %q below the models, want them last: what follows them is written anew", key)
		case below:
			continue
		case key == "models":
			below = true
			continue
		case key == "date":
			dated = true
			line = []byte("date: " + date + "\n")
		}
		out = append(out, line...)
	}
	if !dated {
		return nil, fmt.Errorf("got no line that begins with %q, want one above the models", "date:")
	}
	out = append(out, "models:\n"...)
	for _, m := range models {
		out = appendItem(out, "  ", fieldsOf(m))
	}
	return out, nil
}

// topKey is the key at the top level that a line begins with; empty if none.
func topKey(line []byte) string {
	key, _, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(key) == 0 || key[0] < 'a' || key[0] > 'z' {
		return ""
	}
	return string(key)
}

// Overlay returns the part of a config's "providers" that tells a program which knows
// before what is different in now; empty if nothing is.
func Overlay(name string, before, now []Model) []byte {
	var items []byte
	for _, m := range now {
		fields := fieldsOf(m)
		if i := indexOf(before, m.ID); i >= 0 {
			fields = differing(before[i], m)
			if len(fields) == 0 {
				continue
			}
			fields = append([]field{{"id", scalar(m.ID)}}, fields...)
		}
		items = appendItem(items, "      ", fields)
	}
	if items == nil {
		return nil
	}
	return append([]byte("  "+scalar(name)+":\n    models:\n"), items...)
}

// field is a key of a model and its value in YAML, on one line.
type field struct{ key, text string }

// differing lists the fields of now that before has otherwise. What now does not know
// is not among them: nobody takes back a fact by not repeating it.
func differing(before, now Model) []field {
	had := fieldsOf(before)
	return slices.DeleteFunc(fieldsOf(now), func(f field) bool { return slices.Contains(had, f) })
}

// fieldsOf lists what is known of m, in the order of Model.
func fieldsOf(m Model) []field { return structFields(reflect.ValueOf(m)) }

func structFields(v reflect.Value) []field {
	var fields []field
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if f := v.Field(i); key != "-" && !f.IsZero() && (f.Kind() != reflect.Slice || f.Len() > 0) {
			fields = append(fields, field{key, inline(f)})
		}
	}
	return fields
}

// inline is a value in YAML's flow style.
func inline(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		return inline(v.Elem())
	case reflect.Struct:
		fields := structFields(v)
		if v.Type() == reflect.TypeFor[Price]() && v.FieldByName("Input").IsZero() && v.FieldByName("Output").IsZero() {
			fields = append([]field{{"input", "0"}, {"output", "0"}}, fields...) // free, which is not unknown
		}
		parts := make([]string, len(fields))
		for i, f := range fields {
			parts[i] = f.key + ": " + f.text
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = inline(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case reflect.String:
		return scalar(v.String())
	default:
		panic("BUG: provider: no YAML for " + v.Type().String())
	}
}

// plain is text that every reader of YAML takes for itself without quotes. What may
// be a number or a truth value is quoted, dates apart.
var plain = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?|[A-Za-z][A-Za-z0-9._/-]*(?::[A-Za-z0-9._/-]+)*)$`)

var words = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

func scalar(text string) string {
	if plain.MatchString(text) && !slices.Contains(words, strings.ToLower(text)) {
		return text
	}
	return strconv.Quote(text)
}

// appendItem writes a list item.
func appendItem(out []byte, indent string, fields []field) []byte {
	for i, f := range fields {
		lead := indent + "  "
		if i == 0 {
			lead = indent + "- "
		}
		out = append(out, lead+f.key+": "+f.text+"\n"...)
	}
	return out
}
