package access

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// record is a key of the store in as little memory as will do: there may be a million, of which most are never shown. What it
// may do is read from its text when it is first shown.
type record struct {
	text    string // its JSON, without its hashes
	hash    Hash
	formers *[]former // what it was before its rotations, the latest first; nil if that was long ago
	expires int64     // in milliseconds since 1970; 0 is never
	refused bool      // it is revoked or disabled
	made    atomic.Pointer[made]
}

// former is a text that a key had before.
type former struct {
	hash  Hash
	until int64
}

// made is what a key may do under the declarations of a snapshot; without a grant it is refused there.
type made struct {
	under *snapshot
	grant *Grant
}

// hashMember is where the hashes begin in a key's text. No value has such words: its quotes would have a backslash.
var hashMember = []byte(`,"hash":"`)

// idMember is how a key's text begins.
const idMember = `{"id":"`

// newRecord makes a record of a key's text.
func newRecord(k *Key, text []byte) (*record, error) {
	end := bytes.LastIndex(text, hashMember)
	if end < 0 || !bytes.HasPrefix(text, []byte(idMember)) {
		return nil, fmt.Errorf("read the key %s: got another form of text, want what it was written as", k.ID)
	}
	r := &record{text: string(text[:end]) + "}", hash: k.hash, expires: instantOf(k.Expires), refused: !k.Revoked.IsZero() || k.Disabled}
	if list := k.formers(); list != nil {
		r.formers = &list
	}
	return r, nil
}

// formers lists what a key was before, as long as it is taken.
func (k *Key) formers() []former {
	if k.old == (Hash{}) {
		return nil
	}
	return append([]former{{k.old, instantOf(k.OldUntil)}}, k.older...)
}

// before lists what the key was, as formers does.
func (r *record) before() []former {
	if r.formers == nil {
		return nil
	}
	return *r.formers
}

// instantOf is a time in milliseconds since 1970; 0 is none.
func instantOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMilli(), 1)
}

// id is the key's, which nothing in the text can be mistaken for.
func (r *record) id() string {
	rest := r.text[len(idMember):]
	return rest[:strings.IndexByte(rest, '"')]
}

// key reads the key. What newRecord has read can be read again.
func (r *record) key() Key {
	var k Key
	if err := json.Unmarshal([]byte(r.text), &k); err != nil {
		panic("BUG: access: a key that could be read: " + err.Error())
	}
	k.hash = r.hash
	if list := r.before(); list != nil {
		k.old, k.older = list[0].hash, list[1:]
	}
	return k
}

// isTaken reports whether a text with a sum is taken for the key at a time. An HMAC says nothing about how near a guess is;
// that the comparison takes the same time whatever is shown is a second lock.
func (r *record) isTaken(sum *Hash, now time.Time) bool {
	at := now.UnixMilli()
	taken := subtle.ConstantTimeCompare(r.hash[:], sum[:]) == 1
	for _, f := range r.before() {
		taken = subtle.ConstantTimeCompare(f.hash[:], sum[:]) == 1 && at < f.until || taken
	}
	return taken && (r.expires == 0 || at < r.expires)
}

// shards is in how many parts the keys are known: a change replaces one or two of them.
const shards = 256

// short is as much of a hash as tells one from all others.
type short [16]byte

func (h *Hash) short() short { return short(h[:len(short{})]) }

// table is the keys of the store, by what is shown and by id. Whoever looks takes no lock; changes come one after the other.
type table struct {
	shards [shards]atomic.Pointer[map[short]*record]
	list   atomic.Pointer[[]*record] // by id
}

// find returns the key that a hash may be of.
func (t *table) find(sum *Hash) *record {
	known := t.shards[sum[len(sum)-1]].Load()
	if known == nil {
		return nil
	}
	return (*known)[sum.short()]
}

// all returns the keys by id.
func (t *table) all() []*record {
	list := t.list.Load()
	if list == nil {
		return nil
	}
	return *list
}

// search finds where an id is, or would be.
func search(list []*record, id string) (at int, found bool) {
	return slices.BinarySearchFunc(list, id, func(r *record, id string) int { return strings.Compare(r.id(), id) })
}

// shift is what a shard is to know of a hash from now on.
type shift struct {
	hash   short
	record *record // nil for nothing
}

// apply puts keys in the place of those of the same id.
func (t *table) apply(changed []*record) {
	slices.SortFunc(changed, func(a, b *record) int { return strings.Compare(a.id(), b.id()) })
	old := t.all()
	list := make([]*record, 0, len(old)+len(changed))
	var gone, come [shards][]shift
	add := func(to *[shards][]shift, of, is *record) {
		for _, h := range of.hashes() {
			shard := h[len(h)-1]
			to[shard] = append(to[shard], shift{h.short(), is})
		}
	}
	for _, r := range changed {
		at, found := search(old, r.id())
		list = append(append(list, old[:at]...), r)
		if found {
			add(&gone, old[at], nil)
			at++
		}
		old = old[at:]
		if !r.refused {
			add(&come, r, r)
		}
	}
	list = append(list, old...)
	t.list.Store(&list)
	for i := range t.shards {
		if len(gone[i])+len(come[i]) > 0 {
			t.replace(i, append(gone[i], come[i]...))
		}
	}
}

// replace puts another shard in the place of one.
func (t *table) replace(i int, shifts []shift) {
	known := make(map[short]*record, len(shifts))
	if before := t.shards[i].Load(); before != nil {
		known = maps.Clone(*before)
	}
	for _, s := range shifts {
		if s.record == nil {
			delete(known, s.hash)
		} else {
			known[s.hash] = s.record
		}
	}
	t.shards[i].Store(&known)
}

// hashes lists what a key is known by.
func (r *record) hashes() []*Hash {
	all := []*Hash{&r.hash}
	for i := range r.before() {
		all = append(all, &(*r.formers)[i].hash)
	}
	return all
}
