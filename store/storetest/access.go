package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
)

// registry is a registry of its own on the store, as each gateway has one.
func (s *stage) registry(secret access.Secret) *access.Registry {
	r := access.NewRegistry(access.Options{})
	if err := r.Open(s.ctx(), secret, s.store, true, access.Declared{}); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// testKeys makes keys at one gateway and finds them at another; many change one at the same time.
func testKeys(t *testing.T, s *stage) {
	secret := access.NewSecret()
	here, there := s.registry(secret), s.registry(secret)
	spec := access.Spec{Name: "it's; DROP TABLE access_key", User: "ada", Models: []string{"*", "o'hara/%_*"}, Limits: access.Limits{Concurrent: 3}}
	made, text, err := here.Create(s.ctx(), "web", spec)
	if err != nil || text == "" {
		t.Fatalf("got %v, want a key", err)
	}
	if err := there.Refresh(s.ctx()); err != nil {
		t.Fatal(err)
	}
	found, err := there.Key("web")
	if err != nil || !reflect.DeepEqual(found, made) {
		t.Errorf("at another gateway: got %v, %v; want %v", found, err, made)
	}
	if g, err := there.Check(map[string][]string{"X-Api-Key": {text}}, ""); err != nil || g.Key != "web" {
		t.Errorf("shown to another gateway: got %v, %v; want it taken", g, err)
	}
	var changed atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		r := [2]*access.Registry{here, there}[i%2]
		all.Go(func() {
			_, err := r.Change(s.ctx(), "web", func(k *access.Spec) { k.Limits.RequestsPerMinute = int64(i + 1) })
			if err == nil {
				changed.Add(1)
			} else if !errors.Is(err, access.ErrChanged) {
				t.Errorf("got %v, want it changed, or that others did", err)
			}
		})
	}
	all.Wait()
	var keys []access.Key
	version, err := s.store.Keys(s.ctx(), 0, func(text []byte) error {
		k, err := access.ParseKey(text)
		keys = append(keys, k)
		return err
	})
	if err != nil || len(keys) != 1 || keys[0].Revision != 1+changed.Load() || version != keys[0].Revision {
		t.Errorf("got %v at version %d, %v; want one key of revision %d, and no change lost", keys, version, err, 1+changed.Load())
	}
	again := keys[0]
	again.Revision = 1
	if err := s.store.PutKey(s.ctx(), &again, 0); !errors.Is(err, access.ErrChanged) {
		t.Errorf("made twice: got %v, want %v", err, access.ErrChanged)
	}
	if now, err := s.store.KeysVersion(s.ctx()); err != nil || now != version {
		t.Errorf("after a refused change: got version %d, %v; want %d", now, err, version)
	}
}

// testChanges writes down changes and reads them in pages.
func testChanges(t *testing.T, s *stage) {
	for i := range 5 {
		c := access.Change{At: noon, By: "admin token", From: "[::1]:1", Method: "PUT", Path: fmt.Sprint("/v1/keys/", i), Query: "a=b", Body: `{"name":"é"}`, Outcome: "done"}
		if err := s.store.AddChange(s.ctx(), &c); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for before := int64(0); ; {
		page, err := s.store.Changes(s.ctx(), before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			seen = append(seen, c.Path)
			if !c.At.Equal(noon) || c.By != "admin token" || c.Body != `{"name":"é"}` {
				t.Errorf("got %+v, want it as it was written", c)
			}
		}
		before = page[len(page)-1].Seq
	}
	if got, want := fmt.Sprint(seen), "[/v1/keys/4 /v1/keys/3 /v1/keys/2 /v1/keys/1 /v1/keys/0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// testChangeWith makes changes together with the lines that tell of them: both, or neither.
func testChangeWith(t *testing.T, s *stage) {
	about := func(path string) (context.Context, *access.Change) {
		c := &access.Change{At: noon, By: "ada", From: "[::1]:1", Method: "PUT", Path: path, Outcome: "done"}
		return access.WithChange(s.ctx(), c), c
	}
	r := s.registry(access.NewSecret())
	limit := budget.Limit{Account: "key:web", Period: budget.Day, Most: 1}
	for path, do := range map[string]func(ctx context.Context) error{
		"key": func(ctx context.Context) error {
			_, _, err := r.Create(ctx, "web", access.Spec{Models: []string{"*"}})
			return err
		},
		"limit":    func(ctx context.Context) error { return s.store.PutLimit(ctx, limit) },
		"no limit": func(ctx context.Context) error { return s.store.DropLimit(ctx, limit.Account, limit.Period) },
	} {
		ctx, c := about(path)
		if err := do(ctx); err != nil || !c.IsKept() {
			t.Errorf("%s: got %v and written down %v, want both", path, err, c.IsKept())
		}
		if found, err := s.store.Changes(s.ctx(), 0, 1); err != nil || len(found) != 1 || found[0].Path != path || found[0].By != "ada" {
			t.Errorf("%s: got %v, %v, want its line", path, found, err)
		}
	}
	ctx, c := about("refused")
	k, err := r.Key("web")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.PutKey(ctx, &k, 7); !errors.Is(err, access.ErrChanged) || c.IsKept() {
		t.Errorf("refused: got %v and written down %v, want neither", err, c.IsKept())
	}
	if found, err := s.store.Changes(s.ctx(), 0, 9); err != nil || len(found) != 3 {
		t.Errorf("got %d lines, %v, want none of what was not made", len(found), err)
	}
}

// testAdministrators makes an administrator at one gateway and ends them at another.
func testAdministrators(t *testing.T, s *stage) {
	secret := access.NewSecret()
	here, there := s.registry(secret), s.registry(secret)
	made, text, err := here.AddAdministrator(s.ctx(), "ada", access.AdministratorSpec{Role: access.Operator})
	if err != nil || text == "" {
		t.Fatalf("got %v, want a token", err)
	}
	if err := there.Refresh(s.ctx()); err != nil {
		t.Fatal(err)
	}
	if found, err := there.Administrator("ada"); err != nil || found != made {
		t.Errorf("at another gateway: got %+v, %v; want %+v", found, err, made)
	}
	if name, role, refused := there.Identify(text); refused != nil || name != "ada" || role != access.Operator {
		t.Errorf("shown to another gateway: got %s, %s, %v; want the operator ada", name, role, refused)
	}
	if _, refused := there.Check(map[string][]string{"X-Api-Key": {text}}, ""); refused == nil {
		t.Error("shown as a client's key: got it taken")
	}
	if _, err := there.RevokeAdministrator(s.ctx(), "ada"); err != nil {
		t.Fatal(err)
	}
	if err := here.Refresh(s.ctx()); err != nil {
		t.Fatal(err)
	}
	if _, _, refused := here.Identify(text); refused == nil {
		t.Error("revoked elsewhere: got it taken")
	}
}
