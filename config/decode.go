package config

import (
	"cmp"
	"encoding"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/understudy-ai/understudy/provider"
)

// decoder fills structs from YAML and collects what does not fit. It decodes over
// what is there: keys that are not given keep their values, and list items with
// an id are laid over those of the same id.
type decoder struct {
	file     string
	problems Problems
	at       map[string]position // of every key and list item, by path
	failed   map[string]bool     // the paths whose values did not fit
	// before is called with each named list item that is about to be filled, and can
	// set what it is decoded over.
	before func(item any, m ast.MapNode)
}

// fail reports what is wrong at n. path is that of the value which is missing for
// it; empty if none is.
func (d *decoder) fail(n ast.Node, path, hint, format string, args ...any) {
	if path != "" {
		d.failed[path] = true
	}
	at := place(n)
	d.problems = append(d.problems, Problem{
		File: d.file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// place is where n stands: of a mapping its first key.
func place(n ast.Node) position {
	if m, ok := n.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() {
			n = it.Key()
		}
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return position{t.Position.Line, t.Position.Column}
	}
	return position{}
}

// decode fills v from n, which stands at path.
func (d *decoder) decode(n ast.Node, v reflect.Value, path string) {
	if _, empty := n.(*ast.NullNode); empty {
		switch v.Kind() {
		case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer:
			if _, text := v.Addr().Interface().(encoding.TextUnmarshaler); !text {
				return // "models:" with nothing below it
			}
		default:
		}
		d.fail(n, path, "", "got nothing for %s, want %s", path, wanted(v))
		return
	}
	if k, ok := v.Addr().Interface().(*Key); ok {
		if m, ok := n.(ast.MapNode); ok {
			d.command(n, m, k, path)
			return
		}
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		text, ok := scalarText(n)
		if !ok {
			d.mismatch(n, v, path)
		} else if err := u.UnmarshalText([]byte(text)); err != nil {
			d.fail(n, path, "", "%s: %v", path, err)
		}
		return
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if m, ok := n.(ast.MapNode); ok {
			d.structure(m, v, path)
			return
		}
	case reflect.Map:
		if m, ok := n.(ast.MapNode); ok {
			d.mapping(m, v, path)
			return
		}
	case reflect.Slice:
		if d.list(n, v, path) {
			return
		}
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem()) // what is there may be shared
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem())
		}
		v.Set(fresh)
		d.decode(n, fresh.Elem(), path)
		return
	default:
		if setScalar(n, v) {
			return
		}
	}
	d.mismatch(n, v, path)
}

// mismatch reports a value of the wrong kind. It does not quote the value: it may
// be a key that was put in the wrong place.
func (d *decoder) mismatch(n ast.Node, v reflect.Value, path string) {
	d.fail(n, path, "", "got %s for %s, want %s", kindOf(n), cmp.Or(path, "the file"), wanted(v))
}

// command fills a key that a command prints. Keys and values that name none may be anything, such as a key in braces, and are
// not quoted.
func (d *decoder) command(n ast.Node, m ast.MapNode, k *Key, path string) {
	given := struct {
		Command []string      `yaml:"command"`
		Every   time.Duration `yaml:"every"`
		Timeout time.Duration `yaml:"timeout"`
	}{Timeout: usualCommandTime}
	v := reflect.ValueOf(&given).Elem()
	named := false
	for it := m.MapRange(); it.Next(); {
		name, _ := scalarText(it.Key())
		named = named || name == "command"
	}
	if !named {
		d.mismatch(n, reflect.ValueOf(k).Elem(), path)
		return
	}
	known := len(d.problems)
	d.structure(m, v, path)
	switch words := given.Command; {
	case len(d.problems) > known:
		d.failed[path] = true
	case len(words) == 0 || words[0] == "":
		d.fail(n, path, "", "%s.command: got no program, want it and its arguments, such as [op, read, \"op://vault/item/key\"]", path)
	case strings.ContainsAny(words[0], `/\`) && !filepath.IsAbs(words[0]):
		d.fail(n, path, "", "%s.command: got a relative path, want a program's name, which is looked for on PATH, or an absolute path", path)
	case slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, "\x00") }):
		d.fail(n, path, "", "%s.command: got a NUL, want words without any", path)
	default:
		*k = Key{Command: Command(strings.Join(words, "\x00") + "\x00"), Every: given.Every, Timeout: given.Timeout}
	}
}

func (d *decoder) duration(n ast.Node, v reflect.Value, path string) {
	text, ok := scalarText(n)
	parsed, err := time.ParseDuration(text)
	switch {
	case !ok:
		d.mismatch(n, v, path)
	case err != nil || parsed < 0:
		d.fail(n, path, "", "%s: got %s, want %s", path, quote(text), wanted(v))
	default:
		v.SetInt(int64(parsed))
	}
}

// structure fills a struct from a mapping.
func (d *decoder) structure(m ast.MapNode, v reflect.Value, path string) {
	fields := fieldsOf(v)
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
	}
	for key, entry := range d.entries(m, path) {
		i := slices.Index(known, key)
		if i < 0 {
			where := ""
			if path != "" {
				where = " in " + path
			}
			meant := provider.Nearest(key, known)
			if meant != "" {
				meant = join(path, meant) // which is not said to be missing, then
			}
			d.fail(entry.Key, meant, didYouMean(key, known), "got unknown key %s%s, want one of %s", quote(key), where, strings.Join(known, ", "))
			continue
		}
		d.decode(entry.Value, fields[i].value, join(path, key))
	}
}

// mapping fills a Go map, key by key.
func (d *decoder) mapping(m ast.MapNode, v reflect.Value, path string) {
	fresh := reflect.MakeMap(v.Type()) // what is there may be shared
	for it := v.MapRange(); it.Next(); {
		fresh.SetMapIndex(it.Key(), it.Value())
	}
	for key, entry := range d.entries(m, path) {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.decode(entry.Value, elem, join(path, key))
		fresh.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), elem)
	}
	v.Set(fresh)
}

// list fills a slice from a sequence, or from a mapping where the items take their
// names from its keys. It reports whether n is of a kind that fits.
func (d *decoder) list(n ast.Node, v reflect.Value, path string) bool {
	elem := v.Type().Elem()
	name := nameField(elem)
	if m, ok := n.(ast.MapNode); ok && name >= 0 {
		for key, entry := range d.entries(m, path) {
			item := reflect.New(elem).Elem()
			item.Field(name).SetString(key)
			if m, ok := entry.Value.(ast.MapNode); ok && d.before != nil {
				d.before(item.Addr().Interface(), m)
			}
			d.decode(entry.Value, item, join(path, key))
			v.Set(reflect.Append(v, item))
		}
		return true
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok || name >= 0 {
		return false
	}
	var out reflect.Value
	if id := idField(elem); id >= 0 {
		out = d.overlay(seq, v, path, id)
	} else {
		out = reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
		for i, value := range seq.Values {
			at := join(path, strconv.Itoa(i))
			d.at[at] = place(value)
			d.decode(value, out.Index(i), at)
		}
	}
	v.Set(out)
	return true
}

// overlay lays the items of seq over those of v with the same id; others follow.
// An item's path has its number in the result.
func (d *decoder) overlay(seq *ast.SequenceNode, v reflect.Value, path string, id int) reflect.Value {
	out := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v) // what is there may be shared
	seen := map[string]int{}
	for _, value := range seq.Values {
		name := ""
		if m, ok := value.(ast.MapNode); ok {
			name = lookup(m, "id")
		}
		if line, twice := seen[name]; twice && name != "" {
			d.fail(value, "", "", "got id %s again in %s, want each once: it stands in line %d, too", quote(name), path, line)
			continue
		}
		seen[name] = place(value).line
		known := 0
		for known < out.Len() && (name == "" || out.Index(known).Field(id).String() != name) {
			known++
		}
		if known == out.Len() {
			out = reflect.Append(out, reflect.Zero(v.Type().Elem()))
		}
		at := join(path, strconv.Itoa(known))
		d.at[at] = place(value)
		d.decode(value, out.Index(known), at)
	}
	return out
}

// lookup returns the text that a mapping has for a key; empty if it has none.
func lookup(m ast.MapNode, key string) string {
	for it := m.MapRange(); it.Next(); {
		if name, _ := scalarText(it.Key()); name == key {
			text, _ := scalarText(it.Value())
			return text
		}
	}
	return ""
}

// entries runs over the keys of a mapping, notes where they stand, and reports
// those that are no text or stand twice.
func (d *decoder) entries(m ast.MapNode, path string) func(func(string, *ast.MappingValueNode) bool) {
	return func(yield func(string, *ast.MappingValueNode) bool) {
		seen := map[string]int{}
		for it := m.MapRange(); it.Next(); {
			entry := it.KeyValue()
			key, ok := scalarText(entry.Key)
			if !ok {
				d.fail(entry.Key, "", "", "got a key that is %s, want text", kindOf(entry.Key))
				continue
			}
			at := place(entry.Key)
			if line, twice := seen[key]; twice {
				d.fail(entry.Key, "", "", "got key %s again, want each once: it stands in line %d, too", quote(key), line)
				continue
			}
			seen[key] = at.line
			d.at[join(path, key)] = at
			if !yield(key, entry) {
				return
			}
		}
	}
}

// field is a struct's field and its name in the file.
type field struct {
	name  string
	value reflect.Value
}

// fieldsOf lists what can be set in v; inlined structs are part of it.
func fieldsOf(v reflect.Value) []field {
	var found []field
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			found = append(found, fieldsOf(v.Field(i))...)
		case name != "" && name != "-":
			found = append(found, field{name, v.Field(i)})
		}
	}
	return found
}

// nameField returns the index of the field of t that holds a list item's name; -1
// if items have none.
func nameField(t reflect.Type) int { return fieldWith(t, ",name") }

// idField returns the index of the field of t that tells items apart; -1 if none
// does.
func idField(t reflect.Type) int { return fieldWith(t, "id") }

func fieldWith(t reflect.Type, tag string) int {
	if t.Kind() != reflect.Struct {
		return -1
	}
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == tag {
			return i
		}
	}
	return -1
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
