package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// patience is how long anything may take that only a failure keeps from coming: a disk that others write to, too, may take
// seconds for a flush.
const patience = time.Minute

// shelf is a store in memory, which can be made to fail.
type shelf struct {
	mu      sync.Mutex
	mark    budget.Mark
	entries map[int64]budget.Entry
	lines   map[int64]*budget.Line
	held    map[int64]bool
	swept   int64
	before  int  // entries that were there when it was swept
	down    bool // writes fail
	lost    int  // so many writes succeed and fail to say so
	late    int  // so many fail, and come to be when the mark has been read
	coming  *budget.Batch
	refuse  error // of every hold and draw
	silent  bool  // these are not answered
	doubt   int   // so many of these, and of what is given back, succeed and are said to be in doubt
	draws   int
	drawn   map[budget.Key]budget.Money // posted and pending
	leased  map[leasedPart]budget.Money
}

type leasedPart struct {
	budget.Key
	since int64
}

func newShelf() *shelf {
	return &shelf{entries: map[int64]budget.Entry{}, lines: map[int64]*budget.Line{}, held: map[int64]bool{}, drawn: map[budget.Key]budget.Money{}, leased: map[leasedPart]budget.Money{}}
}

var errDown = errors.New("the store is down")

func (s *shelf) Mark(context.Context, string) (budget.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return budget.Mark{}, errDown
	}
	mark := s.mark
	if b := s.coming; b != nil {
		s.coming = nil
		if err := s.take(b); err != nil {
			return budget.Mark{}, err
		}
	}
	return mark, nil
}

func (s *shelf) Write(_ context.Context, b *budget.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errDown
	}
	if b.From != s.mark {
		return budget.ErrMark
	}
	if s.late > 0 {
		s.late--
		s.coming = b
		return errDown
	}
	if err := s.take(b); err != nil {
		return err
	}
	if s.lost > 0 {
		s.lost--
		return errDown
	}
	return nil
}

func (s *shelf) take(b *budget.Batch) error {
	for _, l := range b.Lines {
		s.lines[l.ID()] = l
	}
	for _, e := range b.Entries {
		if _, twice := s.entries[e.Attempt]; twice {
			return fmt.Errorf("attempt %d is closed twice", e.Attempt)
		}
		if s.lines[e.Line] == nil {
			return fmt.Errorf("attempt %d has no line", e.Attempt)
		}
		s.entries[e.Attempt] = e
		for _, k := range e.Windows {
			if s.held[e.Attempt] {
				continue
			}
			from := leasedPart{Key: k}
			for p := range s.leased {
				if p.Key == k && p.since <= e.Attempt {
					from.since = max(from.since, p.since)
				}
			}
			taken := min(e.Amount, s.leased[from])
			s.leased[from] -= taken
			s.drawn[k] += e.Amount - taken
		}
		delete(s.held, e.Attempt)
	}
	s.mark = b.To
	return nil
}

// answers waits as a store does that says nothing.
func (s *shelf) answers(ctx context.Context) error {
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

func (s *shelf) Hold(ctx context.Context, _ string, h budget.Hold) ([]budget.Key, error) {
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.held[h.Attempt] = true
	if err := s.doubted(); err != nil {
		return nil, err
	}
	return []budget.Key{{Account: h.Limits[0].Account, Period: budget.Ever}}, nil
}

// doubted is the error of what has been done and is not known to be.
func (s *shelf) doubted() error {
	if s.doubt == 0 {
		return nil
	}
	s.doubt--
	return budget.ErrInDoubt
}

func (s *shelf) Draw(ctx context.Context, l budget.Lease, draws []budget.Draw) ([]budget.Money, error) {
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.draws++
	got := make([]budget.Money, len(draws))
	for i := range draws {
		amount, ok := draws[i].Grant(draws[i].Most - s.drawn[draws[i].Key])
		if !ok {
			return nil, draws[i].Refusal()
		}
		got[i] = amount
	}
	for i := range draws {
		s.drawn[draws[i].Key] += got[i]
		s.leased[leasedPart{draws[i].Key, l.Since}] += got[i]
	}
	return got, s.doubted()
}

func (s *shelf) Return(_ context.Context, l budget.Lease, what map[budget.Key]budget.Money) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, amount := range what {
		if from := (leasedPart{k, l.Since}); s.leased[from] >= amount {
			s.leased[from] -= amount
			s.drawn[k] -= amount
		}
	}
	return s.doubted()
}

func (s *shelf) Sweep(_ context.Context, _ string, upTo int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swept, s.before = upTo, len(s.entries)
	for n := range s.held {
		if n <= upTo {
			delete(s.held, n)
		}
	}
	for p, amount := range s.leased {
		if p.since <= upTo {
			s.drawn[p.Key] -= amount
			delete(s.leased, p)
		}
	}
	return nil
}

func (s *shelf) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// have is what is in the store, by kind.
func (s *shelf) have() map[budget.Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[budget.Kind]int{}
	for _, e := range s.entries {
		n[e.Kind]++
	}
	return n
}

type desk struct {
	*Journal
	t    *testing.T
	log  lockedText
	line *budget.Line
}

func openJournal(t *testing.T, folder string, s budget.Store, change ...func(*Options)) *desk {
	t.Helper()
	d := &desk{t: t}
	o := Options{Folder: folder, Node: "here", Store: s, Log: slog.New(slog.NewTextHandler(&d.log, nil)), Now: time.Now, FileSize: 1 << 20}
	for _, c := range change {
		c(&o)
	}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	d.Journal = j
	d.line = budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Caller: "anonymous", Rates: budget.Cap()})
	return d
}

// lockedText is a log that may be read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (d *desk) reserve(key string) (int64, error) {
	return d.Reserve(d.t.Context(), &budget.Reservation{
		Call: "call_x", Ordinal: 1, Line: d.line, At: time.Now(), Most: budget.Tokens{Fresh: 10, Output: 100}, Payer: budget.Payer{Key: key},
	})
}

func (d *desk) settle(n int64) {
	r := budget.Result{Sent: true, Status: 200, Whole: true, Output: 50, Input: 10}
	d.Settle(n, &budget.Settlement{Outcome: r.Outcome(), At: time.Now(), Status: 200})
}

func (d *desk) close() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		d.t.Error(err)
	}
}

// copyFolder copies a journal as it is while it is written, as a crash would leave it.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := filepath.Glob(filepath.Join(from, "*"+extension))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
