package journal

import (
	"errors"
	"io"
	"math"
	"os"

	"github.com/understudy-ai/understudy/budget"
)

// leftover is what a journal holds that was not closed in order.
type leftover struct {
	numbers               []int64 // of the files, but for such as were never used
	files                 int
	open                  map[int64]budget.Entry
	lines                 map[int64]*budget.Line
	lastFile, lastAttempt int64
}

// recoverFrom reads all of a journal that is left.
func recoverFrom(folder string) (*leftover, error) {
	all, err := numbers(folder)
	if err != nil {
		return nil, err
	}
	l := &leftover{open: map[int64]budget.Entry{}, lines: map[int64]*budget.Line{}}
	for _, n := range all {
		l.lastFile = n
		r, err := openReader(pathOf(folder, n), n)
		if errors.Is(err, errTorn) { // it was being made
			if err := os.Remove(pathOf(folder, n)); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		l.numbers = append(l.numbers, n)
		err = l.read(r)
		r.close()
		if err != nil {
			return nil, err
		}
	}
	l.files = len(l.numbers)
	return l, nil
}

// HasGap reports whether entries between a store's mark and the journal of a folder are in neither.
func HasGap(folder string, mark budget.Mark) (bool, error) {
	files, err := numbers(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return len(files) == 0 || mark.File < files[0], nil
}

// Closed is the place behind the last closed attempt in the journal of a folder; the mark, if none is behind that. A gateway may be
// writing it.
func Closed(folder string, mark budget.Mark) (budget.Mark, error) {
	all, err := numbers(folder)
	if err != nil {
		return mark, err
	}
	end := mark
	for _, n := range all {
		if n < mark.File {
			continue
		}
		r, err := openReader(pathOf(folder, n), n)
		if errors.Is(err, errTorn) || errors.Is(err, os.ErrNotExist) { // it is being made, or all of it is in the store
			continue
		}
		if err != nil {
			return mark, err
		}
		if n == mark.File {
			r.at = mark.Offset
		}
		for {
			holds, body, err := r.next(math.MaxInt64)
			if err != nil {
				break
			}
			if holds != holdsEntry {
				continue
			}
			if e, err := budget.ParseEntry(body); err == nil && e.Kind != budget.Open {
				end = r.mark()
			}
		}
		r.close()
	}
	return end, nil
}

func (l *leftover) read(r *reader) error {
	for {
		holds, body, err := r.next(math.MaxInt64)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errTorn):
			return nil
		case err != nil:
			return err
		case holds == holdsLine:
			line, err := budget.ParseLine(body)
			if err != nil {
				return err
			}
			l.lines[line.ID()] = line
		case holds == holdsEntry:
			e, err := budget.ParseEntry(body)
			if err != nil {
				return err
			}
			l.lastAttempt = max(l.lastAttempt, e.Attempt)
			if e.Kind == budget.Open {
				l.open[e.Attempt] = e
			} else {
				delete(l.open, e.Attempt)
			}
		}
	}
}
