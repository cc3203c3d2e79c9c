package gemini

import (
	"errors"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// partialCall is a call whose arguments come in pieces, each with the path of the value it belongs to
// [vtx:PartialArg].
type partialCall struct {
	id, name, signature string
	whole               string // arguments that came at once after all
	root                argValue
}

// partialArgs reads a piece of a call. The end is a piece that says nothing of going on.
func (r *streamReader) partialArgs(dst []llm.Event, c *choice, p *piece) ([]llm.Event, error) {
	name := forms.TextOf(p.call.Get("name"))
	if c.args != nil && name != "" { // the last one was not ended
		dst = r.endArgs(dst, c)
	}
	if c.args == nil {
		if name == "" {
			return dst, badAnswer("a piece of a call that has not begun", nil)
		}
		c.args = &partialCall{id: forms.TextOf(p.call.Get("id")), name: name}
	}
	if signature := signedBy(p.signature); signature != "" {
		c.args.signature = signature
	}
	if args := p.call.Get("args"); args.Kind() == jsontext.Object && string(args) != "{}" {
		c.args.whole = string(jsontext.Compact(nil, args))
	}
	if pieces := p.call.Get("partialArgs"); !pieces.IsNull() {
		if err := pieces.Array(func(_ int, v jsontext.Value) error { return c.args.add(v) }); err != nil {
			return dst, err
		}
	}
	if string(p.call.Get("willContinue")) != "true" {
		dst = r.endArgs(dst, c)
	}
	return dst, nil
}

// endArgs tells a call that came in pieces.
func (r *streamReader) endArgs(dst []llm.Event, c *choice) []llm.Event {
	a := c.args
	c.args = nil
	args := a.whole
	if args == "" {
		var w jsontext.Writer
		if a.root.kind == jsontext.Invalid {
			a.root.kind = jsontext.Object
		}
		a.root.write(&w)
		args = string(w.Bytes())
	}
	return r.wholeCall(dst, c, &llm.ToolCall{ID: a.id, Name: a.name, Args: args}, a.signature)
}

// argValue is a value of the arguments so far.
type argValue struct {
	kind  jsontext.Kind // Invalid until something is known
	text  strings.Builder
	raw   []byte // of a number, a boolean or null
	keys  []string
	inner []*argValue // by keys, or the elements of an array
}

// Bounds of paths, so that none makes much of little.
const (
	maxPath    = 1 << 10 // bytes
	maxElement = 1 << 12
)

var errPath = errors.New("want a path such as $.list[0].name")

// add puts a piece where it belongs.
func (a *partialCall) add(v jsontext.Value) error {
	at, err := a.root.find(forms.TextOf(v.Get("jsonPath")))
	if err != nil {
		return jsontext.At("jsonPath", err)
	}
	for _, key := range [...]string{"stringValue", "numberValue", "boolValue", "nullValue"} {
		m := v.Get(key)
		switch {
		case m == nil:
		case key == "stringValue":
			s, err := forms.Text(m)
			if err != nil {
				return jsontext.At(key, err)
			}
			at.kind = jsontext.String
			at.text.WriteString(s)
		case key == "nullValue":
			at.kind, at.raw = jsontext.Null, []byte("null")
		default:
			at.kind, at.raw = m.Kind(), clone(m)
		}
	}
	return nil
}

// find returns the value at a path, and makes what is missing on the way.
func (a *argValue) find(path string) (*argValue, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok || len(path) > maxPath {
		return nil, errPath
	}
	for rest != "" {
		step := rest
		end := strings.IndexAny(rest[1:], ".[")
		if rest[0] == '[' {
			end = strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, errPath
			}
		}
		if end >= 0 {
			step, rest = rest[:end+1], rest[end+1:]
		} else {
			rest = ""
		}
		var err error
		if a, err = a.step(step); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// step goes one step down: ".name", "['name']" or "[0]".
func (a *argValue) step(step string) (*argValue, error) {
	key, isKey := strings.CutPrefix(step, ".")
	if inner, ok := strings.CutPrefix(step, "["); ok {
		inner, _ = strings.CutSuffix(inner, "]")
		key = strings.Trim(inner, `'"`)
		isKey = key != inner
	}
	if !isKey {
		return a.element(key)
	}
	if a.kind != jsontext.Invalid && a.kind != jsontext.Object {
		return nil, errPath
	}
	a.kind = jsontext.Object
	for i := range a.keys {
		if a.keys[i] == key {
			return a.inner[i], nil
		}
	}
	a.keys = append(a.keys, key)
	a.inner = append(a.inner, &argValue{})
	return a.inner[len(a.inner)-1], nil
}

func (a *argValue) element(index string) (*argValue, error) {
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || n > maxElement || n > len(a.inner) || a.kind != jsontext.Invalid && a.kind != jsontext.Array {
		return nil, errPath
	}
	a.kind = jsontext.Array
	if n == len(a.inner) {
		a.inner = append(a.inner, &argValue{})
	}
	return a.inner[n], nil
}

func (a *argValue) write(w *jsontext.Writer) {
	switch a.kind {
	case jsontext.Object:
		w.BeginObject()
		for i, key := range a.keys {
			w.Key(key)
			a.inner[i].write(w)
		}
		w.EndObject()
	case jsontext.Array:
		w.BeginArray()
		for _, v := range a.inner {
			v.write(w)
		}
		w.EndArray()
	case jsontext.String:
		w.String(a.text.String())
	case jsontext.Invalid:
		w.Null()
	default:
		w.Raw(a.raw)
	}
}
