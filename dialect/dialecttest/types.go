package dialecttest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// ofEachKind are a value of each kind that is not null.
var ofEachKind = []jsontext.Value{[]byte(`{}`), []byte(`[]`), []byte(`"x"`), []byte(`1`), []byte(`true`)}

// Types holds the table of a dialect's members against its decoder, one member at a time in a request that is sound
// otherwise. What the table refuses, Peek refuses and the decoder does, in the same words of the same member; what it
// permits, Peek lets through; and whatever the decoder reads as of some kind, the table has.
func Types(t *testing.T, d *dialect.Dialect, types *forms.Types, sound string) {
	t.Helper()
	if _, err := d.Client.DecodeRequest([]byte(sound)); err != nil {
		t.Fatalf("got %v want %s taken", err, sound)
	}
	names := slices.Clone(types.Names())
	for _, f := range d.Fields {
		if !strings.ContainsAny(f.Path, ".[") && !slices.Contains(names, f.Path) {
			names = append(names, f.Path)
		}
	}
	for _, name := range names {
		if body := with(t, sound, name, []byte("null")); name != "model" { // some must have it
			if _, err := d.Relay.Peek(body); err != nil {
				t.Errorf("Peek of %s: got %v want null let through", body, err)
			}
		}
		for _, v := range ofEachKind {
			holdType(t, d, types, name, v, with(t, sound, name, v))
		}
	}
}

// holdType holds Peek and the decoder of one body, in which the member name is v, against the table.
func holdType(t *testing.T, d *dialect.Dialect, types *forms.Types, name string, v jsontext.Value, body []byte) {
	t.Helper()
	wrong := types.Check([]byte(name), v)
	_, peekErr := d.Relay.Peek(body)
	_, decodeErr := d.Client.DecodeRequest(body)
	var peeked, decoded *llm.Error
	isRefused := errors.As(decodeErr, &decoded)
	isOfKind := isRefused && strings.Contains(decoded.Message, "got "+v.Kind().String()) && decoded.Param == name
	switch {
	case wrong == nil && peekErr != nil:
		t.Errorf("Peek of %s: got %v want it let through", body, peekErr)
	case wrong == nil && isOfKind && !slices.Contains(types.Names(), name):
		t.Errorf("%s: the decoder says %q, and the table has no such member", body, decoded.Message)
	case wrong == nil:
	case !errors.As(peekErr, &peeked):
		t.Errorf("Peek of %s: got %v want it refused", body, peekErr)
	case !isRefused:
		t.Errorf("%s: Peek says %q, and the decoder takes it", body, peeked.Message)
	case peeked.Code != llm.CodeInvalidRequest || peeked.Origin != llm.OriginClient || peeked.Param != name ||
		decoded.Code != peeked.Code || decoded.Origin != peeked.Origin || decoded.Param != peeked.Param:
		t.Errorf("%s: got %+v from Peek and %+v from the decoder, want the same of %s", body, peeked, decoded, name)
	case peeked.Message != decoded.Message && !strings.Contains(wrong.Error(), " or "): // of several kinds, either may be named
		t.Errorf("%s: got %q from Peek and %q from the decoder, want the same", body, peeked.Message, decoded.Message)
	}
}

// with is the request sound in which one member is v.
func with(t *testing.T, sound, name string, v jsontext.Value) []byte {
	t.Helper()
	body, err := jsontext.Set([]byte(sound), name, v)
	if err != nil {
		t.Fatalf("%s of %s: %v", name, sound, err)
	}
	return body
}
