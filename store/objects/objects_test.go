package objects

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

var today = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string, now time.Time) *File {
	t.Helper()
	f, err := Open(path, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func find(t *testing.T, f *File, ids ...string) map[string]gateway.Object {
	t.Helper()
	found, err := f.Find(context.Background(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFileOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	f := open(t, path, today)
	file := gateway.Object{ID: "file-1", Provider: "b", Credential: "c0ffee", Caller: "key_1", At: today}
	answer := gateway.Object{ID: "resp_1", Provider: "a", IsAnswer: true, Uncounted: true, At: today}
	f.Note(file, answer)
	if !f.Count(t.Context(), "resp_1") {
		t.Error("got the answer counted, want it yet to be")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open(t, path, today.Add(time.Hour))
	answer.Uncounted = false
	found := find(t, f, "file-1", "resp_1", "resp_2")
	for _, want := range []gateway.Object{file, answer} {
		got := found[want.ID]
		got.At = got.At.UTC()
		if got != want {
			t.Errorf("after the end: got %+v, want %+v", got, want)
		}
	}
	if len(found) != 2 || f.Count(t.Context(), "resp_1") {
		t.Errorf("after the end: got %v, want two that are counted", found)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open(t, path, today.Add(Kept+time.Hour))
	defer f.Close()
	if found := find(t, f, "file-1"); len(found) > 0 {
		t.Errorf("much later: got %v, want it forgotten", found)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 0 {
		t.Errorf("much later: got a file of %d bytes (%v), want an empty one", info.Size(), err)
	}
}

// TestFileCutAnywhere opens the file as the end of a machine may leave it: what was written whole is there, what comes
// after is, too.
func TestFileCutAnywhere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	f := open(t, path, today)
	f.Note(gateway.Object{ID: "file-1", Provider: "a", At: today}, gateway.Object{ID: "file-2", Provider: "b", At: today})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if err := os.WriteFile(path, append(whole[:cut:cut], make([]byte, cut%3)...), 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, path, today)
		_, one := find(t, f, "file-1")["file-1"]
		f.Note(gateway.Object{ID: "file-3", Provider: "c", At: today})
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f = open(t, path, today)
		found := find(t, f, "file-1", "file-2", "file-3")
		_, kept := found["file-1"]
		if _, three := found["file-3"]; one != kept || one != (cut > len(whole)/2-1) || !three {
			t.Errorf("cut at %d of %d: got the first %v, then %v; and %v", cut, len(whole), one, kept, found)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFileStaysSmall notes one object over and over.
func TestFileStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	f := &File{path: path, now: func() time.Time { return today }, wake: make(chan struct{}, 1)} // whose writer the test is
	if err := f.rewrite(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * slack {
		f.Note(gateway.Object{ID: fmt.Sprint("resp_", i%2), Provider: "a", At: today})
		if err := f.flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.file.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 2*slack*60 {
		t.Errorf("got %d bytes (%v), want a file about as large as what holds", info.Size(), err)
	}
}
