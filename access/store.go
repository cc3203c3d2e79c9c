package access

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Store keeps keys, and who changed what. Its methods may be called concurrently.
type Store interface {
	// KeysVersion is another one after each change of any key.
	KeysVersion(ctx context.Context) (int64, error)
	// Keys calls each with the texts of the keys that have changed since a version, each once, and returns the version
	// that they are. 0 is since ever.
	Keys(ctx context.Context, since int64, each func(text []byte) error) (version int64, err error)
	// PutKey writes a key durably in the place of the revision that it was changed from; 0 is a key
	// that there was not. It is ErrChanged if there is another revision. What the context is about, see WithChange,
	// is written down with it, or neither is.
	PutKey(ctx context.Context, k *Key, from int64) error
	// AddChange writes down a change durably.
	AddChange(ctx context.Context, c *Change) error
	// Changes lists changes, the latest first: those before a Seq, or all if that is 0, at most so many.
	Changes(ctx context.Context, before int64, limit int) ([]Change, error)
}

// ErrChanged says that somebody else has changed a key meanwhile.
var ErrChanged = errors.New("the key was changed meanwhile")

// Change is a line of the audit log: who asked for what change, and what came of it.
type Change struct {
	Seq     int64     `json:"seq" doc:"Its number in the log."`
	At      time.Time `json:"at"`
	By      string    `json:"by" doc:"Whose token was shown."`
	From    string    `json:"from" doc:"The address that the request came from."`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Query   string    `json:"query,omitempty"`
	Body    string    `json:"body,omitempty" doc:"What was asked for, as far as it fits."`
	Outcome string    `json:"outcome" doc:"done, the code of the refusal, or begun, of what comes to more than a row in a store: a line that says how it ended follows."`

	isKept bool
}

// changeKey is where a context has the change that it is about.
type changeKey struct{}

// WithChange is a context in which a change is made: the store that makes it writes it down in the same transaction.
func WithChange(ctx context.Context, c *Change) context.Context {
	return context.WithValue(ctx, changeKey{}, c)
}

// ChangeOf is the change that a context is about; nil if it is about none.
func ChangeOf(ctx context.Context) *Change {
	c, _ := ctx.Value(changeKey{}).(*Change)
	return c
}

// Keep says that the change was made, and is written down with it.
func (c *Change) Keep() {
	if c != nil {
		c.isKept = true
	}
}

// IsKept reports whether the change was made, and is written down with it.
func (c *Change) IsKept() bool { return c.isKept }

// Memory is a Store that lasts as long as the program.
type Memory struct {
	mu      sync.Mutex
	version int64
	keys    map[string]memoryKey
	changes []Change
}

// memoryKey is a key in a Memory: its text, and when it was written.
type memoryKey struct {
	text              []byte
	revision, version int64
}

var _ Store = (*Memory)(nil)

// KeysVersion counts the changes of keys.
func (m *Memory) KeysVersion(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.version, nil
}

// Keys finds the keys that have changed.
func (m *Memory) Keys(_ context.Context, since int64, each func(text []byte) error) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if k.version <= since {
			continue
		}
		if err := each(k.text); err != nil {
			return 0, err
		}
	}
	return m.version, nil
}

// PutKey keeps a key.
func (m *Memory) PutKey(ctx context.Context, k *Key, from int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, err := k.Text()
	if err != nil {
		return err
	}
	if m.keys[k.ID].revision != from {
		return ErrChanged
	}
	if m.keys == nil {
		m.keys = map[string]memoryKey{}
	}
	m.version++
	m.keys[k.ID] = memoryKey{text, k.Revision, m.version}
	if c := ChangeOf(ctx); c != nil {
		m.add(c)
		c.Keep()
	}
	return nil
}

// maxChanges bounds the changes that are kept in memory.
const maxChanges = 10_000

// AddChange keeps a change; the oldest is forgotten when there are too many.
func (m *Memory) AddChange(_ context.Context, c *Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(c)
	return nil
}

// add is AddChange; the lock is held.
func (m *Memory) add(c *Change) {
	added := *c
	added.Seq = 1
	if n := len(m.changes); n > 0 {
		added.Seq = m.changes[n-1].Seq + 1
	}
	if len(m.changes) == maxChanges {
		m.changes = slices.Delete(m.changes, 0, maxChanges/10)
	}
	m.changes = append(m.changes, added)
}

// Changes lists changes.
func (m *Memory) Changes(_ context.Context, before int64, limit int) ([]Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Change
	for _, c := range slices.Backward(m.changes) {
		if len(found) == limit {
			break
		}
		if before == 0 || c.Seq < before {
			found = append(found, c)
		}
	}
	return found, nil
}
