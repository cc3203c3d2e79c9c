package access_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// world is a registry with a store and a clock of its own.
type world struct {
	*access.Registry
	store *store
	now   time.Time
}

// store is one that can be out.
type store struct {
	access.Memory
	out      bool
	silent   bool   // nothing is answered
	overtake func() // is called once, before a key is written
}

func (s *store) PutKey(ctx context.Context, k *access.Key, from int64) error {
	if f := s.overtake; f != nil {
		s.overtake = nil
		f()
	}
	return s.Memory.PutKey(ctx, k, from)
}

var errOut = errors.New("out")

func (s *store) KeysVersion(ctx context.Context) (int64, error) {
	if s.out {
		return 0, errOut
	}
	if s.silent {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}
	return s.Memory.KeysVersion(ctx)
}

func newWorld(t *testing.T, d access.Declared) *world {
	t.Helper()
	w := &world{store: &store{}, now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	w.Registry = access.NewRegistry(access.Options{Now: func() time.Time { return w.now }})
	if err := w.Open(t.Context(), access.NewSecret(), w.store, true, d); err != nil {
		t.Fatal(err)
	}
	return w
}

func bearer(text string) http.Header { return http.Header{"Authorization": {"Bearer " + text}} }

// code is that of what a key comes to; empty if it is taken.
func (w *world) code(text string) llm.Code {
	w.now = w.now.Add(time.Second) // so that nobody is turned away for having tried too often
	_ = w.Refresh(context.Background())
	if _, err := w.Check(bearer(text), "192.0.2.1:1"); err != nil {
		return err.Code
	}
	return ""
}

var all = access.Spec{Models: []string{"*"}}

func (w *world) create(t *testing.T, id string, spec access.Spec) string {
	t.Helper()
	_, text, err := w.Create(t.Context(), id, spec)
	if err != nil || text == "" {
		t.Fatalf("create %s: got %v, want a key", id, err)
	}
	return text
}

// TestOvertaken makes and rotates while somebody else does the same under the same id: it is done once, and nobody is shown what is
// no key.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{})
	for what, do := range map[string]func() (string, error){
		"make":   func() (string, error) { _, text, err := w.Create(t.Context(), "made", all); return text, err },
		"rotate": func() (string, error) { _, text, err := w.Rotate(t.Context(), "web", "r1", 0); return text, err },
		"administrator": func() (string, error) {
			_, text, err := w.AddAdministrator(t.Context(), "ada", access.AdministratorSpec{Role: access.Viewer})
			return text, err
		},
	} {
		if what == "rotate" {
			w.create(t, "web", all)
		}
		var first string
		var firstErr error
		w.store.overtake = func() { first, firstErr = do() }
		second, err := do()
		if firstErr != nil || first == "" || err != nil || second != "" {
			t.Errorf("%s: got %v and a text %v, and then %v and a text %v; want it done once, and shown once", what, firstErr, first != "", err, second != "")
		}
		if what != "administrator" && w.code(first) != "" {
			t.Errorf("%s: got the text that was shown refused", what)
		}
	}
	w.store.overtake = func() {
		if _, err := w.Revoke(t.Context(), "web"); err != nil {
			t.Error(err)
		}
	}
	if k, err := w.Revoke(t.Context(), "web"); err != nil || k.Revoked.IsZero() {
		t.Errorf("revoke: got %v, want it done already", err)
	}
}

// TestLife follows a key from its making to its end.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{})
	if got := w.code("us-guess"); got != llm.CodeAuthentication {
		t.Errorf("a guess: got %q, want it refused", got)
	}
	text := w.create(t, "web", access.Spec{Name: "The web", User: "ada", Team: "search", Organisation: "acme", Models: []string{"*"}, Tags: []string{"x", strings.Repeat("y", 62), "z"}})
	if len(text) < 3+52 || !strings.HasPrefix(text, "us-") {
		t.Errorf("got a key of %d characters, want us- and 256 bits", len(text))
	}
	g, err := w.Check(bearer(text), "")
	if want := "{web The web ada search acme x " + strings.Repeat("y", 62) + "}"; err != nil || fmt.Sprint(g.Caller) != want {
		t.Fatalf("got %v, %v; want %s", g, err, want)
	}
	if k, again, err := w.Create(t.Context(), "web", k(w, "web").Spec); err != nil || again != "" || k.Revision != 1 {
		t.Errorf("made again: got %q, %v, want the same key and nothing shown", again, err)
	}
	if _, _, err := w.Create(t.Context(), access.Anonymous, all); !isCode(err, llm.CodeInvalidRequest) {
		t.Errorf("a key with the id of whoever has none: got %v, want it refused", err)
	}
	if _, _, err := w.Create(t.Context(), "web", all); !isCode(err, llm.CodeConflict) {
		t.Errorf("another of the same id: got %v, want a conflict", err)
	}
	_, next, err2 := w.Rotate(t.Context(), "web", "r1", time.Hour)
	if err2 != nil || w.code(text) != "" || w.code(next) != "" {
		t.Errorf("rotated: got %v, %q and %q, want both taken", err2, w.code(text), w.code(next))
	}
	if _, again, err := w.Rotate(t.Context(), "web", "r1", time.Hour); err != nil || again != "" || w.code(next) != "" {
		t.Errorf("rotated again: got %v and another key %v, want nothing changed", err, again != "")
	}
	w.now = w.now.Add(time.Hour)
	if w.code(text) != llm.CodeAuthentication || w.code(next) != "" {
		t.Error("after the overlap: got the old key taken, want the new one only")
	}
	change := func(f func(*access.Spec)) {
		t.Helper()
		if _, err := w.Change(t.Context(), "web", f); err != nil {
			t.Error(err)
		}
	}
	change(func(s *access.Spec) { s.Disabled = true })
	if w.code(next) != llm.CodeAuthentication {
		t.Error("disabled: got it taken")
	}
	change(func(s *access.Spec) { s.Disabled, s.Expires = false, w.now.Add(time.Minute) })
	if w.code(next) != "" {
		t.Error("enabled again: got it refused")
	}
	w.now = w.now.Add(time.Minute)
	if w.code(next) != llm.CodeAuthentication {
		t.Error("expired: got it taken")
	}
	change(func(s *access.Spec) { s.Expires = time.Time{} })
	for range 2 {
		if k, err := w.Revoke(t.Context(), "web"); err != nil || k.State(w.now) != "revoked" || w.code(next) != llm.CodeAuthentication {
			t.Errorf("revoked: got %v, state %s and %q, want it refused", err, k.State(w.now), w.code(next))
		}
	}
	if _, err := w.Change(t.Context(), "web", func(s *access.Spec) { s.Disabled = true }); !isCode(err, llm.CodeConflict) {
		t.Errorf("a change of a revoked key: got %v, want a conflict", err)
	}
	if _, _, err := w.Create(t.Context(), "web", all); !isCode(err, llm.CodeConflict) {
		t.Errorf("a revoked id again: got %v, want a conflict", err)
	}
}

// TestRotatedAgain rotates a key and an administrator's token while what they were before is still taken: who has that is not cut
// off, and what was asked for late and again changes nothing.
func TestRotatedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{})
	first := w.create(t, "web", all)
	_, token, err := w.AddAdministrator(t.Context(), "ada", access.AdministratorSpec{Role: access.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	isTaken := func(text string) bool {
		if strings.HasPrefix(text, "us-admin-") {
			_ = w.code("") // time goes by
			_, _, err := w.Identify(text)
			return err == nil
		}
		return w.code(text) == ""
	}
	for name, tc := range map[string]struct {
		text   string
		rotate func(rotation string, overlap time.Duration) string
		revoke func() error
	}{
		"key": {first, func(rotation string, overlap time.Duration) string {
			_, text, err := w.Rotate(t.Context(), "web", rotation, overlap)
			if err != nil {
				t.Error(err)
			}
			return text
		}, func() error { _, err := w.Revoke(t.Context(), "web"); return err }},
		"token": {token, func(rotation string, overlap time.Duration) string {
			_, text, err := w.RotateAdministrator(t.Context(), "ada", rotation, overlap)
			if err != nil {
				t.Error(err)
			}
			return text
		}, func() error { _, err := w.RevokeAdministrator(t.Context(), "ada"); return err }},
	} {
		second := tc.rotate("r1", 10*time.Minute)
		third := tc.rotate("r2", time.Hour)
		if !isTaken(tc.text) || !isTaken(second) || !isTaken(third) {
			t.Errorf("%s: got one of three refused, want all taken for as long as was said", name)
		}
		if again := tc.rotate("r1", 0); again != "" || !isTaken(tc.text) || !isTaken(third) {
			t.Errorf("%s: the first rotation again, late: got another text %v, want nothing changed", name, again != "")
		}
		w.now = w.now.Add(10 * time.Minute)
		if isTaken(tc.text) || !isTaken(second) || !isTaken(third) {
			t.Errorf("%s: after the first overlap: got %v, %v and %v, want the first refused", name, isTaken(tc.text), isTaken(second), isTaken(third))
		}
		fourth := tc.rotate("r3", time.Minute) // a shorter overlap is for all
		if !isTaken(second) || !isTaken(third) || !isTaken(fourth) {
			t.Errorf("%s: rotated thrice: got one refused, want them taken", name)
		}
		w.now = w.now.Add(time.Minute)
		if isTaken(second) || isTaken(third) || !isTaken(fourth) {
			t.Errorf("%s: after a shorter overlap: got one of before taken, want the last only", name)
		}
		fifth, sixth := tc.rotate("r4", time.Hour), tc.rotate("r5", 0)
		if isTaken(fourth) || isTaken(fifth) || !isTaken(sixth) {
			t.Errorf("%s: without an overlap: got one of before taken, want the last only", name)
		}
		seventh := tc.rotate("r6", time.Hour)
		tc.rotate("r7", time.Hour)
		if err := tc.revoke(); err != nil {
			t.Error(err)
		}
		if isTaken(sixth) || isTaken(seventh) {
			t.Errorf("%s: revoked: got one of before taken", name)
		}
	}
}

func k(w *world, id string) access.Key {
	key, err := w.Key(id)
	if err != nil {
		panic(err)
	}
	return key
}

func isCode(err error, code llm.Code) bool {
	var e *llm.Error
	return errors.As(err, &e) && e.Code == code
}

// TestAttackS12NearKeys shows what is nearly a key.
func TestAttackS12NearKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{Anonymous: true})
	text := w.create(t, "web", all)
	flipped := text[:len(text)-1] + string(text[len(text)-1]^1)
	for _, near := range []string{flipped, "us-" + strings.ToUpper(text[3:]), text[:20], text + text, "us-", "us-' OR 1=1--", "us-%", "us-*"} {
		if g, err := w.Check(bearer(near), ""); err == nil {
			t.Errorf("%q: got %v, want it refused even where everybody may call", near, g)
		}
		w.now = w.now.Add(time.Second)
	}
	if g, err := w.Check(bearer("sk-any"), ""); err != nil || g != nil {
		t.Errorf("a text that is none of ours: got %v, %v; want anonymous", g, err)
	}
	if _, err := w.Check(http.Header{}, "", text); err == nil || !strings.Contains(err.Message, "in a header") {
		t.Errorf("in the address: got %v, want it refused", err)
	}
}

// TestAttackS18Guessing guesses from one address: others, and the right key from the same one, are not held up.
func TestAttackS18Guessing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{})
	text := w.create(t, "web", all)
	refused := 0
	for range 100 {
		if _, err := w.Check(bearer("us-guess"), "192.0.2.1:1234"); err.Code == llm.CodeRateLimit && err.RetryAfter > 0 {
			refused++
		}
	}
	if refused != 80 {
		t.Errorf("got %d of 100 guesses turned away, want 80", refused)
	}
	if _, err := w.Check(bearer(text), "192.0.2.1:1234"); err != nil {
		t.Errorf("the right key from the same address: got %v", err)
	}
	if _, err := w.Check(bearer("us-guess"), "192.0.2.2:1234"); err == nil || err.Code != llm.CodeAuthentication {
		t.Errorf("a guess from another address: got %v, want it refused as such", err)
	}
}

// TestAttackS14Headers shows one key in every place.
func TestAttackS14Headers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{})
	text := w.create(t, "web", all)
	for _, h := range []http.Header{bearer(text), {"X-Api-Key": {text}}, {"Api-Key": {text}}, {"X-Goog-Api-Key": {text}}, {"Authorization": {"bearer  " + text}}} {
		if g, err := w.Check(h, ""); err != nil || g.Key != "web" {
			t.Errorf("%v: got %v, %v; want the key web", h, g, err)
		}
	}
}

// TestAttackS17StoreOut has a store that cannot be reached: what is known works, and no other (A60).
func TestAttackS17StoreOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{})
	text := w.create(t, "web", all)
	w.store.out = true
	w.now = w.now.Add(time.Hour)
	if got := w.code(text); got != "" {
		t.Errorf("a known key: got %q, want it taken", got)
	}
	if got := w.code("us-perhaps-made-meanwhile"); got != llm.CodeUnavailable {
		t.Errorf("an unknown key: got %q, want %q", got, llm.CodeUnavailable)
	}
	if _, _, err := w.Create(t.Context(), "other", all); !isCode(err, llm.CodeUnavailable) {
		t.Errorf("a new key: got %v, want it refused", err)
	}
	w.store.out = false
	if got := w.code("us-perhaps-made-meanwhile"); got != llm.CodeAuthentication {
		t.Errorf("an unknown key, when the store is back: got %q, want %q", got, llm.CodeAuthentication)
	}
}

// TestDeclared has keys and teams in the config.
func TestDeclared(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789abcdef", 3)
	d := access.Declared{
		Keys: []access.DeclaredKey{{ID: "app", Text: text, Spec: access.Spec{Team: "search", Models: []string{"*"}}}},
		Teams: map[string]access.Team{
			"search": {Organisation: "acme", Models: []string{"assistant", "openai/*"}, Providers: []string{"openai"}, Regions: []string{"eu*"}}, "other": {},
		},
	}
	w := newWorld(t, d)
	g, err := w.Check(bearer(text), "")
	if err != nil || g.Organisation != "acme" || g.Name != "app" {
		t.Fatalf("got %v, %v; want the key app of acme", g, err)
	}
	for _, tc := range []struct {
		name      string
		got, want bool
	}{
		{"a name", g.MayAsk("assistant"), true},
		{"another case", g.MayAsk("Assistant"), false},
		{"a longer name", g.MayAsk("assistant2"), false},
		{"a pattern", g.MayAsk("openai/gpt-5"), true},
		{"another provider's", g.MayAsk("other/openai/gpt-5"), false},
		{"all", g.MayAskAll(), false},
		{"the provider", g.MayUse("openai", "eu-1"), true},
		{"another region", g.MayUse("openai", "us"), false},
		{"another provider", g.MayUse("azure", "eu-1"), false},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, tc.got, tc.want)
		}
	}
	if _, err := w.Change(t.Context(), "app", func(s *access.Spec) { s.Disabled = true }); !isCode(err, llm.CodeConflict) {
		t.Errorf("a declared key changed: got %v, want a conflict", err)
	}
	if _, _, err := w.Create(t.Context(), "more", access.Spec{Team: "none", Models: []string{"*"}}); !isCode(err, llm.CodeInvalidRequest) {
		t.Errorf("a team that is not declared: got %v, want it refused", err)
	}
	stored := w.create(t, "more", access.Spec{Team: "other", Models: []string{"*"}})
	delete(d.Teams, "other")
	w.Declare(d)
	if got := w.code(stored); got != llm.CodeAuthentication {
		t.Errorf("its team was taken out of the config: got %q, want it refused", got)
	}
	d.Keys = nil
	w.Declare(d)
	if got := w.code(text); got != llm.CodeAuthentication {
		t.Errorf("taken out of the config: got %q, want it refused", got)
	}
}

// TestAttackS29NothingShown prints keys in every way.
func TestAttackS29NothingShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Declared{})
	text := w.create(t, "web", all)
	key := k(w, "web")
	body, err := key.Text()
	if err != nil {
		t.Fatal(err)
	}
	read, err := access.ParseKey(body)
	if again, _ := read.Text(); err != nil || string(again) != string(body) {
		t.Errorf("read again: got %s, %v; want %s", again, err, body)
	}
	secret := access.NewSecret()
	for _, shown := range []string{string(body), fmt.Sprintf("%v %+v %#v", key, key, key), fmt.Sprintf("%v %+v %#v %q %s", secret, secret, secret, secret, secret)} {
		if strings.Contains(shown, text) || strings.Contains(shown, text[3:20]) || strings.Contains(shown, secret.Text()) {
			t.Errorf("got %s, want no secret in it", shown)
		}
	}
}

func TestSpec(t *testing.T) {
	t.Parallel()
	for param, s := range map[string]access.Spec{
		"models": {}, "name": {Name: "a\nb", Models: []string{"*"}}, "user": {User: " a", Models: []string{"*"}}, "regions": {Models: []string{"*"}, Regions: []string{"e*u"}},
		"tags": {Models: []string{"*"}, Tags: []string{"a b"}}, "limits": {Models: []string{"*"}, Limits: access.Limits{Concurrent: -1}},
	} {
		var e *llm.Error
		if err := s.Check(); !errors.As(err, &e) || e.Param != param {
			t.Errorf("%s: got %v, want it refused", param, err)
		}
	}
}

// TestAttackS15Timing compares what wrong keys cost that begin like a real one, and ones that do not.
func TestAttackS15Timing(t *testing.T) {
	w := newWorld(t, access.Declared{})
	text := w.create(t, "web", all)
	guesses := map[bool]http.Header{}
	for near, shared := range map[bool]int{false: 3, true: len(text) - 1} {
		guesses[near] = bearer(text[:shared] + strings.Repeat("a", len(text)-shared))
	}
	best := map[bool]time.Duration{false: time.Hour, true: time.Hour}
	for range 200 { // by turns, so that other work of the machine falls on both
		for near, header := range guesses {
			began := time.Now()
			for range 100 {
				_, _ = w.Check(header, "192.0.2.1:1")
			}
			best[near] = min(best[near], time.Since(began))
		}
	}
	if best[true] > 2*best[false] || best[false] > 2*best[true] {
		t.Errorf("got %v for guesses that share nothing and %v for those that share all but the end, want about as long", best[false], best[true])
	}
}

func BenchmarkCheck(b *testing.B) {
	r := access.NewRegistry(access.Options{})
	if err := r.Open(b.Context(), access.NewSecret(), &access.Memory{}, false, access.Declared{}); err != nil {
		b.Fatal(err)
	}
	_, text, err := r.Create(b.Context(), "web", all)
	if err != nil {
		b.Fatal(err)
	}
	header := bearer(text)
	for b.Loop() {
		_, _ = r.Check(header, "")
	}
}
