package access

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Keys lists keys after an id, at most so many, by id: those of the config file and those of the store, revoked ones included.
func (r *Registry) Keys(after string, most int) []Key {
	s, stored := r.snapshot(), r.stored.Load().all()
	begins := func(keys []Key) []Key {
		i, found := slices.BinarySearchFunc(keys, after, func(k Key, id string) int { return strings.Compare(k.ID, id) })
		if found {
			i++
		}
		return keys[i:]
	}
	declared := begins(s.keys)
	at, found := search(stored, after)
	if found {
		at++
	}
	var list []Key
	for stored = stored[at:]; len(list) < most && len(declared)+len(stored) > 0; {
		switch {
		case len(stored) == 0, len(declared) > 0 && declared[0].ID <= stored[0].id():
			if len(stored) > 0 && declared[0].ID == stored[0].id() {
				stored = stored[1:] // the file goes before the store
			}
			list, declared = append(list, declared[0]), declared[1:]
		default:
			list, stored = append(list, s.shown(stored[0])), stored[1:]
		}
	}
	return list
}

// shown is a key of the store, with what it has of its team.
func (s *snapshot) shown(r *record) Key {
	k := r.key()
	s.complete(&k)
	return k
}

// Key finds a key.
func (r *Registry) Key(id string) (Key, error) {
	s, stored := r.snapshot(), r.stored.Load().all()
	if k, ok := ofID(s.keys, id); ok {
		return k, nil
	}
	if i, ok := search(stored, id); ok {
		return s.shown(stored[i]), nil
	}
	return Key{}, &llm.Error{Code: llm.CodePathNotFound, Origin: llm.OriginClient, Message: "There is no key of this id. GET /v1/keys lists those that there are."}
}

// ofID finds a key in a list by id.
func ofID(keys []Key, id string) (Key, bool) {
	i, ok := slices.BinarySearchFunc(keys, id, func(k Key, id string) int { return strings.Compare(k.ID, id) })
	if !ok {
		return Key{}, false
	}
	return keys[i], true
}

// Create makes a key under an id of the caller's choice. Its text is returned this once, and
// nothing keeps it. Asked for again, it is the same key, and text is empty.
func (r *Registry) Create(ctx context.Context, id string, spec Spec) (k Key, text string, err error) {
	if err := CheckID(id); err != nil {
		return Key{}, "", err
	}
	if id == Anonymous {
		return Key{}, "", llm.Invalid("id", "The id %s is that of whoever has no key. Choose another one.", id)
	}
	if err := errors.Join(r.check(&spec), r.canMake()); err != nil {
		return Key{}, "", err
	}
	return r.enroll(ctx, r.Key, func() (Key, string) {
		text := newText(keyPrefix)
		return Key{ID: id, Spec: spec, Ending: endingOf(text), Created: r.instant(), Revision: 1, hash: r.secretSum(text)}, text
	}, func(k *Key) error {
		if k.Declared || !k.Revoked.IsZero() || !isSame(k.Spec, spec, r.team(spec.Team)) {
			return conflict("There is another key of this id. Ids are never used again: choose another one, or change that key.")
		}
		return nil
	})
}

// enroll stores a key that is made anew, unless get finds one of its id: that is the one that was asked for if same says so,
// also where somebody else was faster.
func (r *Registry) enroll(ctx context.Context, get func(id string) (Key, error), anew func() (Key, string), same func(*Key) error) (Key, string, error) {
	for try := 1; ; try++ {
		if err := r.sync(ctx); err != nil {
			return Key{}, "", err
		}
		k, text := anew()
		if found, err := get(k.ID); err == nil {
			return found, "", same(&found)
		}
		err := r.put(ctx, &k, 0)
		if err == nil {
			k, err = get(k.ID)
			return k, text, err
		}
		if !errors.Is(err, ErrChanged) || try == maxTries {
			return Key{}, "", err
		}
	}
}

// isSame reports whether a key is as it is asked for.
func isSame(a, b Spec, team Team) bool {
	if b.Organisation == "" {
		b.Organisation = team.Organisation
	}
	a.Expires, b.Expires = a.Expires.UTC(), b.Expires.UTC()
	for _, lists := range [][2]*[]string{{&a.Models, &b.Models}, {&a.Providers, &b.Providers}, {&a.Regions, &b.Regions}, {&a.Tags, &b.Tags}} {
		if !slices.Equal(*lists[0], *lists[1]) {
			return false
		}
		*lists[0], *lists[1] = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// Change changes what a key may do.
func (r *Registry) Change(ctx context.Context, id string, change func(*Spec)) (Key, error) {
	return r.update(ctx, id, r.Key, func(k *Key) (bool, error) {
		was := k.Spec
		change(&k.Spec)
		if isSame(was, k.Spec, Team{}) {
			return false, nil
		}
		return true, r.check(&k.Spec)
	})
}

// maxOverlap bounds how long a key is taken beside the one that took its place.
const maxOverlap = 90 * 24 * time.Hour

// Rotate gives a key another text, which is returned this once; what it was before is taken for
// as long as overlap says. rotation is an id of the caller's choice: asked for again with the same
// one, nothing changes, and text is empty.
func (r *Registry) Rotate(ctx context.Context, id, rotation string, overlap time.Duration) (k Key, text string, err error) {
	return r.rotate(ctx, id, r.Key, turn{rotation, overlap, keyPrefix})
}

// turn is how a key comes by another text.
type turn struct {
	rotation string
	overlap  time.Duration
	prefix   string // of the text
}

// rotate is Rotate for a key that get finds.
func (r *Registry) rotate(ctx context.Context, id string, get func(id string) (Key, error), t turn) (k Key, text string, err error) {
	if err := CheckID(t.rotation); err != nil {
		return Key{}, "", err
	}
	if t.overlap < 0 || t.overlap > maxOverlap {
		return Key{}, "", llm.Invalid("overlap_seconds", "The overlap must be from 0 to %d seconds, which are 90 days.", int64(maxOverlap.Seconds()))
	}
	if err := r.canMake(); err != nil {
		return Key{}, "", err
	}
	k, err = r.update(ctx, id, get, func(k *Key) (bool, error) {
		text = "" // that of a try that was overtaken is no key's
		if k.Rotation == t.rotation || slices.Contains(k.Rotations, t.rotation) {
			return false, nil
		}
		text = newText(t.prefix)
		if k.Rotation != "" {
			k.Rotations = append([]string{k.Rotation}, k.Rotations[:min(len(k.Rotations), maxRotations-1)]...)
		}
		k.Rotation, k.Ending = t.rotation, endingOf(text)
		k.outlive(r.instant(), t.overlap)
		k.hash = r.secretSum(text)
		return true, nil
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, text, nil
}

// maxRotations is how many rotations before its last a key remembers, and how many texts of before its last it is known by.
const maxRotations = 16

// outlive has what a key was taken for an overlap longer. So is what it was before that, as long as it would have been and no
// longer: who has lost a new text rotates once more, and who has the one before must not suffer.
func (k *Key) outlive(now time.Time, overlap time.Duration) {
	until := now.Add(overlap)
	var older []former
	for _, f := range k.formers() {
		f.until = min(f.until, until.UnixMilli())
		if f.until > now.UnixMilli() && len(older) < maxRotations {
			older = append(older, f)
		}
	}
	k.old, k.OldUntil, k.older = k.hash, until, older
	if overlap == 0 {
		k.old, k.OldUntil, k.older = Hash{}, time.Time{}, nil
	}
}

// Revoke ends a key for good. Its id stays, since the ledger speaks of it.
func (r *Registry) Revoke(ctx context.Context, id string) (Key, error) {
	return r.revoke(ctx, id, r.Key)
}

func (r *Registry) revoke(ctx context.Context, id string, get func(id string) (Key, error)) (Key, error) {
	if err := r.sync(ctx); err != nil {
		return Key{}, err
	}
	if k, err := get(id); err == nil && !k.Revoked.IsZero() {
		return k, nil
	}
	k, err := r.update(ctx, id, get, func(k *Key) (bool, error) {
		k.Revoked, k.old, k.OldUntil, k.older = r.instant(), Hash{}, time.Time{}, nil
		return true, nil
	})
	if now, found := get(id); err != nil && found == nil && !now.Revoked.IsZero() {
		return now, nil // somebody else was faster
	}
	return k, err
}

// maxTries is how often a change is tried that others overtake.
const maxTries = 5

// update changes a stored key that get finds, unless do reports that there is nothing to change.
func (r *Registry) update(ctx context.Context, id string, get func(id string) (Key, error), do func(*Key) (bool, error)) (Key, error) {
	for try := 1; ; try++ {
		if err := r.sync(ctx); err != nil {
			return Key{}, err
		}
		shown, err := get(id)
		switch {
		case err != nil:
			return Key{}, err
		case shown.Declared:
			return Key{}, conflict("It stands in the config file: change it there.")
		case !shown.Revoked.IsZero():
			return Key{}, conflict("It is revoked, for good. Make another one.")
		}
		k, _ := r.asStored(id) // it was found
		changed, err := do(&k)
		if err != nil || !changed {
			return shown, err
		}
		from := k.Revision
		k.Revision, k.Changed = from+1, r.instant()
		err = r.put(ctx, &k, from)
		if err == nil {
			return get(id)
		}
		if !errors.Is(err, ErrChanged) || try == maxTries {
			return Key{}, err
		}
	}
}

// asStored is a key as the store has it: without what its team adds.
func (r *Registry) asStored(id string) (k Key, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ofStore(id)
}

// ofStore is asStored where the lock is held.
func (r *Registry) ofStore(id string) (k Key, found bool) {
	if k, found = r.admins[id]; found {
		return k, true
	}
	stored := r.stored.Load().all()
	i, found := search(stored, id)
	if !found {
		return Key{}, false
	}
	return stored[i].key(), true
}

// sync is Refresh in front of a change.
func (r *Registry) sync(ctx context.Context) error {
	if err := r.Refresh(ctx); err != nil {
		return &llm.Error{Code: llm.CodeUnavailable, Origin: llm.OriginGateway, Message: "The store of the keys cannot be reached. Nothing was changed.", Err: err}
	}
	return nil
}

// put writes a key, and takes it in at once.
func (r *Registry) put(ctx context.Context, k *Key, from int64) error {
	err := r.store.PutKey(ctx, k, from)
	if errors.Is(err, ErrChanged) {
		return &llm.Error{Code: llm.CodeConflict, Origin: llm.OriginClient, Message: "Somebody else changed it at the same time. Look at it, and try again.", Err: err}
	}
	if err != nil {
		return &llm.Error{
			Code: llm.CodeUnavailable, Origin: llm.OriginGateway, Err: fmt.Errorf("write the key %s: %w", k.ID, err),
			Message: "The store of the keys did not answer in order. Look whether the change was made, and ask for it again if not.",
		}
	}
	text, err := k.Text()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, found := r.ofStore(k.ID); found && known.Revision >= k.Revision {
		return nil // somebody's later change is here already
	}
	if k.role != "" {
		r.admins[k.ID] = *k
		r.build()
		return nil
	}
	one, err := newRecord(k, text)
	if err != nil {
		return err
	}
	r.stored.Load().apply([]*record{one})
	return nil
}

// check holds a spec to its rules, and its team to the config's.
func (r *Registry) check(s *Spec) error {
	if err := s.Check(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.declared.Teams[s.Team]; s.Team != "" && len(r.declared.Teams) > 0 && !known {
		return llm.Invalid("team", "The config declares teams, and none of this name.")
	}
	return nil
}

func (r *Registry) team(name string) Team {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.declared.Teams[name]
}

// canMake reports whether there is a secret that all gateways of the store have.
func (r *Registry) canMake() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.secret.text) == 0 {
		return conflict("The gateways of this store have no secret in common: set access.secret in their configs, to the same value, and restart them.")
	}
	return nil
}

func (r *Registry) secretSum(text string) Hash {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.secret.Sum(text)
}

// instant is the time, as it can be written and read again.
func (r *Registry) instant() time.Time { return r.now().UTC().Truncate(time.Millisecond) }

func conflict(message string) *llm.Error {
	return &llm.Error{Code: llm.CodeConflict, Origin: llm.OriginClient, Message: message}
}
