package forms

import (
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// Types say what kinds of JSON the members of a request may have. It is never changed once it is made, so it may be used
// concurrently.
type Types struct {
	slots [64][]typed // by slotOf
	names []string
}

// typed is what is said of one member.
type typed struct {
	name, want string
	kinds      uint8 // a bit for each kind
}

// bitOf is the bit of the kind of a value, by its first byte.
var bitOf = func() (bits [256]uint8) {
	for i := range bits {
		bits[i] = 1 << jsontext.Value{byte(i)}.Kind()
	}
	return bits
}()

// NewTypes makes a table of rows such as {"string or array", "stop input"}: the kinds, in the words in which another one is
// refused, and the names of the members. Of words that are no kinds only the reader hears.
func NewTypes(rows ...[2]string) *Types {
	t := &Types{}
	for _, row := range rows {
		kinds := uint8(1) << jsontext.Null // it stands for unset
		for _, word := range strings.Fields(row[0]) {
			kinds |= 1 << kindOf(word)
		}
		for _, name := range strings.Fields(row[1]) {
			at := slotOf(name)
			t.slots[at] = append(t.slots[at], typed{name, row[0], kinds})
			t.names = append(t.names, name)
		}
	}
	return t
}

// kindOf is the kind that a word means; Null for none.
func kindOf(word string) jsontext.Kind {
	if word == "integer" { // whether it is one is seen when it is read
		return jsontext.Number
	}
	for kind := jsontext.Bool; kind <= jsontext.Object; kind++ {
		if kind.String() == word {
			return kind
		}
	}
	return jsontext.Null
}

// Check returns the error for a member of a wrong kind. A member that the table does not have may be anything, and each may
// be null.
func (t *Types) Check(name []byte, v jsontext.Value) error {
	if len(name) == 0 || len(v) == 0 {
		return nil
	}
	slot, bit := t.slots[slotOf(name)], bitOf[v[0]]
	for i := range slot {
		// The kind is nearly always right, and then the name need not be looked at.
		if m := &slot[i]; m.kinds&bit == 0 && m.name == string(name) {
			return jsontext.Mismatch(m.want, v)
		}
	}
	return nil
}

// CheckAll checks each member of an object.
func (t *Types) CheckAll(v jsontext.Value) error { return v.Members(t.Check) }

// Names lists the members that the table has.
func (t *Types) Names() []string { return t.names }

// slotOf spreads names, which are not empty, evenly enough.
func slotOf[S string | []byte](name S) uint8 {
	n := len(name)
	return (uint8(n) + name[0]*5 + name[n-1]*11) % 64
}
