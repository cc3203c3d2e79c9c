// Package objects keeps in a file which provider keeps what, for one gateway on one machine. It is written a little
// later than it is told: what is lost when the machine fails is asked of every provider that may have it.
package objects

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

// Kept is for how long an object is remembered after it was noted last. Vendors keep answers and batches for a month,
// and files until they are removed.
const Kept = 90 * 24 * time.Hour

const (
	// gatherTime is for how long notes are gathered before they are written.
	gatherTime = 20 * time.Millisecond
	// maxLine bounds a line; a longer one is none of ours.
	maxLine = 4 << 10
	// slack is how many lines more than objects the file may have, beside as many again.
	slack = 4096
)

var _ gateway.Objects = (*File)(nil)

// File remembers objects in memory and in a file. Close it.
type File struct {
	gateway.ObjectTable
	path string
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex
	pending []gateway.Object
	wake    chan struct{}
	stop    chan struct{}
	writing sync.WaitGroup

	// The writer's.
	file   *os.File
	lines  int
	broken bool // the file may lack something
}

// row is a line of the file.
type row struct {
	ID         string `json:"id"`
	Provider   string `json:"provider"`
	Credential string `json:"credential,omitempty"`
	Caller     string `json:"caller,omitempty"`
	IsAnswer   bool   `json:"answer,omitempty"`
	Uncounted  bool   `json:"uncounted,omitempty"`
	At         int64  `json:"at"` // Unix seconds
}

// Open reads a file, or begins one.
func Open(path string, log *slog.Logger, now func() time.Time) (*File, error) {
	f := &File{path: path, log: log, now: now, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("read what providers keep: %w", err)
	}
	// A line that was cut short, by the end of a machine, must not take the next one with it.
	if err := f.rewrite(); err != nil {
		return nil, fmt.Errorf("write what providers keep: %w", err)
	}
	f.writing.Go(f.write)
	return f, nil
}

// read takes in every line that is whole; the later one of two about an object holds.
func (f *File) read() error {
	file, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	defer func() { _ = file.Close() }() // it was only read
	oldest := f.now().Add(-Kept)
	lines := bufio.NewReaderSize(file, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		var r row
		if err == nil && json.Unmarshal(line, &r) == nil && r.ID != "" {
			if at := time.Unix(r.At, 0); at.After(oldest) {
				f.ObjectTable.Note(gateway.Object{ID: r.ID, Provider: r.Provider, Credential: r.Credential, Caller: r.Caller, IsAnswer: r.IsAnswer, Uncounted: r.Uncounted, At: at})
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err //nolint:wrapcheck // it names the file
		}
	}
}

// Note remembers objects, and has them written soon.
func (f *File) Note(objects ...gateway.Object) {
	f.ObjectTable.Note(objects...)
	f.queue(objects...)
}

func (f *File) queue(objects ...gateway.Object) {
	f.mu.Lock()
	f.pending = append(f.pending, objects...)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default: // the writer knows
	}
}

// Count marks an object as counted, and has that written.
func (f *File) Count(ctx context.Context, id string) bool {
	if !f.ObjectTable.Count(ctx, id) {
		return false
	}
	found, _ := f.Find(ctx, id) // never fails
	f.queue(found[id])
	return true
}

// Close writes what is yet to be written.
func (f *File) Close() error {
	close(f.stop)
	f.writing.Wait()
	if err := errors.Join(f.file.Sync(), f.file.Close()); err != nil {
		return fmt.Errorf("close what providers keep: %w", err)
	}
	return nil
}

// write writes what comes, gathered, until it is stopped.
func (f *File) write() {
	for running := true; running; {
		select {
		case <-f.wake:
		case <-f.stop:
			running = false
		}
		if running {
			select {
			case <-time.After(gatherTime):
			case <-f.stop:
			}
		}
		if err := f.flush(); err != nil {
			if !f.broken {
				f.log.Error("what providers keep is not written down", "error", err.Error())
			}
			f.broken = true
		}
	}
}

// flush appends what was noted since; in the file's place comes a shorter one when much in it holds no more.
func (f *File) flush() error {
	f.mu.Lock()
	pending := f.pending
	f.pending = nil
	f.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	last := make(map[string]int, len(pending))
	for i := range pending {
		last[pending[i].ID] = i
	}
	var text []byte
	for i := range pending {
		if last[pending[i].ID] == i {
			text = appendRow(text, &pending[i])
		}
	}
	f.lines += len(last)
	if f.broken || f.lines > 2*f.Len()+slack {
		return f.rewrite()
	}
	_, err := f.file.Write(text)
	return err //nolint:wrapcheck // it names the file
}

func appendRow(dst []byte, o *gateway.Object) []byte {
	line, err := json.Marshal(row{o.ID, o.Provider, o.Credential, o.Caller, o.IsAnswer, o.Uncounted, o.At.Unix()})
	if err != nil {
		panic("BUG: an object cannot be written: " + err.Error())
	}
	return append(append(dst, line...), '\n')
}

// rewrite puts a file in the place of the one there is, with what holds; nobody sees half of it.
func (f *File) rewrite() error {
	all := f.All()
	var text bytes.Buffer
	oldest, lines := f.now().Add(-Kept), 0
	for i := range all {
		if all[i].At.After(oldest) {
			text.Write(appendRow(nil, &all[i]))
			lines++
		}
	}
	next := f.path + ".new"
	if err := writeFile(next, text.Bytes()); err != nil {
		return err
	}
	if f.file != nil {
		_ = f.file.Close() // nothing in it is needed any more, and open it could not be replaced everywhere
	}
	if err := os.Rename(next, f.path); err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	var err error
	if f.file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	f.lines, f.broken = lines, false
	return nil
}

func writeFile(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}
