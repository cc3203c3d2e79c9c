package provider

import (
	"reflect"
	"strconv"
	"strings"
)

// readItems reads models in the form in which Renew writes them, at twenty times the speed of a reader of all of
// YAML: a start reads some hundred. It panics at any other form.
func readItems(text string) []Model {
	var models []Model
	next := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  - ") {
			models, next = append(models, Model{}), 0
		}
		next, line = readField(reflect.ValueOf(&models[len(models)-1]).Elem(), next, line[len("  - "):])
		mustCut(line, "\n")
	}
	return models
}

// readHand reads what is kept by hand, if each model has a line of its own, in braces: what it says when nothing is known, and what
// lays it over a model.
func readHand(text string) (models []Model, lay []func(*Model)) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		line = mustCut(line, "  - ")
		over := func(m *Model) { mustCut(readInline(reflect.ValueOf(m).Elem(), line), "\n") }
		var m Model
		over(&m)
		models, lay = append(models, m), append(lay, over)
	}
	return models, lay
}

// readField reads a key and its value into a field of v. It looks from the one at next on, since fields are mostly written
// in their order. It returns the place after it, and the text that follows.
func readField(v reflect.Value, next int, text string) (int, string) {
	key, text, _ := strings.Cut(text, ": ")
	for range v.NumField() {
		next %= v.NumField()
		if v.Type().Field(next).Tag.Get("yaml") == key {
			return next + 1, readInline(v.Field(next), text)
		}
		next++
	}
	panic("BUG: provider: got the key " + strconv.Quote(key) + " of a model")
}

// readInline reads into v what inline has made of it, and returns the text that follows. What is not there stays as it is.
func readInline(v reflect.Value, text string) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return readInline(v.Elem(), text)
	case reflect.Struct:
		text = mustCut(text, "{")
		for next, more := 0, true; more; {
			next, text = readField(v, next, text)
			text, more = strings.CutPrefix(text, ", ")
		}
		return mustCut(text, "}")
	case reflect.Slice:
		text = mustCut(text, "[")
		v.SetZero()
		for more := true; more; {
			one := reflect.New(v.Type().Elem()).Elem()
			text = readInline(one, text)
			v.Set(reflect.Append(v, one))
			text, more = strings.CutPrefix(text, ", ")
		}
		return mustCut(text, "]")
	default: // a word
	}
	word := text[:strings.IndexAny(text, ",]}\n")]
	var err error
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(word == "true")
	case reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(word, 10, 64)
		v.SetInt(n)
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(word, 64)
		v.SetFloat(f)
	default:
		said := word
		if strings.HasPrefix(text, `"`) {
			if word, err = strconv.QuotedPrefix(text); err == nil {
				said, err = strconv.Unquote(word)
			}
		}
		v.SetString(said)
	}
	if err != nil {
		panic("BUG: provider: " + err.Error())
	}
	return text[len(word):]
}

func mustCut(text, prefix string) string {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		panic("BUG: provider: got " + text + " in models, want " + strconv.Quote(prefix))
	}
	return rest
}
