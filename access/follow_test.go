package access_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// TestOpenSilentStore begins beside a shared store that says nothing, and knows its keys when it speaks again.
func TestOpenSilentStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newWorld(t, access.Declared{})
		one.store.silent = true
		r := access.NewRegistry(access.Options{})
		begun := time.Now()
		if err := r.Open(t.Context(), access.NewSecret(), one.store, true, access.Declared{}); err != nil || time.Since(begun) > 10*time.Second {
			t.Errorf("got %v after %v, want it open soon", err, time.Since(begun))
		}
		if _, err := r.Check(bearer("us-any"), "192.0.2.1:1"); !isCode(err, llm.CodeUnavailable) {
			t.Errorf("an unknown key: got %v, want it said that nobody knows", err)
		}
		one.store.silent = false
		if err := r.Refresh(t.Context()); err != nil {
			t.Errorf("when it speaks again: got %v, want the keys read", err)
		}
	})
}

// TestNodes has two registries on one store, which see each other's changes.
func TestNodes(t *testing.T) {
	t.Parallel()
	one := newWorld(t, access.Declared{})
	secret := access.NewSecret()
	two := &world{store: one.store, now: one.now}
	for _, w := range []*world{one, two} {
		w.Registry = access.NewRegistry(access.Options{Now: func() time.Time { return w.now }})
		if err := w.Open(t.Context(), secret, one.store, true, access.Declared{}); err != nil {
			t.Fatal(err)
		}
	}
	text := one.create(t, "web", all)
	if got := two.code(text); got != "" {
		t.Errorf("made elsewhere: got %q, want it taken", got)
	}
	if _, err := two.Revoke(t.Context(), "web"); err != nil || one.code(text) != llm.CodeAuthentication {
		t.Errorf("revoked elsewhere: got %v and %q, want it refused", err, one.code(text))
	}
}

// older is a store that goes back a version whenever it is asked, as a standby does that was behind.
type older struct {
	access.Memory
	version int64
}

func (s *older) KeysVersion(context.Context) (int64, error) {
	s.version--
	return s.version, nil
}

func (s *older) Keys(ctx context.Context, _ int64, each func(text []byte) error) (int64, error) {
	_, err := s.Memory.Keys(ctx, 0, each)
	return s.version, err
}

// TestStoreGoesBack reads everything anew, again and again. Meanwhile nobody's key is unknown.
func TestStoreGoesBack(t *testing.T) {
	t.Parallel()
	const times = 300
	s := &older{version: 2 * times}
	r := access.NewRegistry(access.Options{Now: time.Now})
	if err := r.Open(t.Context(), access.NewSecret(), s, false, access.Declared{}); err != nil {
		t.Fatal(err)
	}
	text := ""
	for i := range 200 {
		var err error
		if _, text, err = r.Create(t.Context(), fmt.Sprint("key", i), all); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan struct{})
	var checks sync.WaitGroup
	checks.Go(func() {
		for from := 0; ; from++ {
			select {
			case <-over:
				return
			default:
			}
			if _, err := r.Check(bearer(text), fmt.Sprintf("192.0.2.1:%d", from%60_000)); err != nil {
				t.Errorf("got %v, want the key taken while keys are read", err)
				return
			}
		}
	})
	for range times {
		if err := r.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(over)
	checks.Wait()
}

// TestFollow sees a change at another gateway within a second.
func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, follow)
}

func follow(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	shared, secret := &access.Memory{}, access.NewSecret()
	nodes := [2]*access.Registry{access.NewRegistry(access.Options{}), access.NewRegistry(access.Options{})}
	for _, r := range nodes {
		if err := r.Open(t.Context(), secret, shared, true, access.Declared{}); err != nil {
			t.Fatal(err)
		}
		go r.Follow(ctx)
	}
	_, text, err := nodes[0].Create(t.Context(), "web", all)
	if err != nil {
		t.Fatal(err)
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		for began := time.Now(); !holds(); time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Second {
				t.Fatalf("%s: got nothing within a second", what)
			}
		}
	}
	takes := func() bool { _, err := nodes[1].Check(bearer(text), ""); return err == nil }
	until("made", takes)
	if _, err := nodes[0].Revoke(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	until("revoked", func() bool { return !takes() })
}
