package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
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
	damaged               []string // files that hold more than can be read in order
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
		if errors.Is(err, errTorn) {
			if err := l.dropUnmade(pathOf(folder, n)); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		l.numbers = append(l.numbers, n)
		err = l.read(r)
		if err == nil {
			err = l.look(r)
		}
		r.close()
		if err != nil {
			return nil, err
		}
	}
	l.files = len(l.numbers)
	return l, nil
}

// damagedExtension is behind the names of files that hold what nothing reads. They are for people, and are not removed.
const damagedExtension = ".damaged"

// dropUnmade removes a file that was being made when the gateway ended: its header is written last. One that holds something
// is none, but of another version, or damaged.
func (l *leftover) dropUnmade(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(text) <= headerSize || len(bytes.Trim(text[headerSize:], "\x00")) == 0 {
		return os.Remove(path)
	}
	l.damaged = append(l.damaged, path+damagedExtension)
	return os.Rename(path, path+damagedExtension)
}

// look finds out whether the end of what can be read in order is that of the file. What a crash has torn is, as a rule, the last
// record, and was promised to nobody; where whole ones follow, something may be missing in the ledger that was. They are
// not read: without what was before them, nobody knows what they are worth.
func (l *leftover) look(r *reader) error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	rest := make([]byte, max(info.Size()-r.at, 0))
	if _, err := r.file.ReadAt(rest, r.at); err != nil {
		return err
	}
	for at := range bytes.TrimRight(rest, "\x00") {
		if !beginsWhole(rest[at:]) {
			continue
		}
		l.damaged = append(l.damaged, r.file.Name()+damagedExtension)
		text, err := os.ReadFile(r.file.Name())
		if err != nil {
			return err
		}
		return os.WriteFile(r.file.Name()+damagedExtension, text, 0o600)
	}
	return nil
}

// beginsWhole reports whether some bytes begin with a record.
func beginsWhole(b []byte) bool {
	if len(b) <= frameSize {
		return false
	}
	size := int(binary.BigEndian.Uint32(b))
	if size == 0 || size > maxRecord || size > len(b)-frameSize {
		return false
	}
	body := b[frameSize : frameSize+size]
	return (body[0] == holdsLine || body[0] == holdsEntry) && crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) == binary.BigEndian.Uint32(b[4:])
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
