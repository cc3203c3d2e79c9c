package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// segment is a file that is written.
type segment struct {
	file   *os.File
	number int64
	size   int64 // that it was made with; what it is given may be more
	off    int64 // behind all that it was given, written or not
	// window begins with what has been written of the last block; nil where writes go through the kernel's cache.
	window []byte
}

// Writes that go past the kernel's cache are of whole blocks, out of memory that begins at a page, as what is larger than
// 32 KiB does in Go. Where that is not enough the first read says so.
const (
	blockSize  = 4 << 10
	windowSize = 64 << 10
)

// write puts bytes behind all that was written before, which ends at an offset.
func (s *segment) write(b []byte, at int64) error {
	if s.window == nil {
		_, err := s.file.WriteAt(b, at)
		return err
	}
	for len(b) > 0 {
		begun := int(at % blockSize)
		n := copy(s.window[begun:], b)
		end := begun + n
		whole := (end + blockSize - 1) / blockSize * blockSize
		clear(s.window[end:whole])
		if _, err := s.file.WriteAt(s.window[:whole], at-int64(begun)); err != nil {
			return err
		}
		copy(s.window, s.window[end/blockSize*blockSize:end])
		b, at = b[n:], at+int64(n)
	}
	return nil
}

// bypass has writes go past the kernel's cache, where they can: a flush that finds nothing there costs a third less.
func (s *segment) bypass() error {
	f, err := openDirect(s.file.Name())
	if err == nil {
		window := make([]byte, windowSize)
		if _, err = f.ReadAt(window[:blockSize], 0); err == nil {
			err = s.file.Close()
			s.file, s.window = f, window
			return err
		}
		_ = f.Close() // nothing was written
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}

const extension = ".journal"

func pathOf(folder string, number int64) string {
	return filepath.Join(folder, fmt.Sprintf("%019d%s", number, extension))
}

// numbers lists the files of a folder, the oldest first.
func numbers(folder string) ([]int64, error) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the journal: %w", err)
	}
	var found []int64
	for _, f := range list {
		name, ok := strings.CutSuffix(f.Name(), extension)
		if n, err := strconv.ParseInt(name, 10, 64); ok && err == nil {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found, nil
}

// create makes a file with room for size bytes, durably.
func create(folder string, number, size int64) (*segment, error) {
	path := pathOf(folder, number)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a journal file: %w", err)
	}
	if err := fill(f, number, size); err != nil {
		_, _ = f.Close(), os.Remove(path) // the error tells of more
		return nil, fmt.Errorf("make a journal file: %w", err)
	}
	if err := syncFolder(folder); err != nil {
		_, _ = f.Close(), os.Remove(path) // likewise
		return nil, fmt.Errorf("make a journal file: %w", err)
	}
	s := &segment{file: f, number: number, size: size, off: int64(headerSize)}
	if err := s.bypass(); err != nil {
		_, _ = s.file.Close(), os.Remove(path) // likewise
		return nil, fmt.Errorf("make a journal file: %w", err)
	}
	return s, nil
}

func fill(f *os.File, number, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros, at); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt(appendHeader(nil, number), 0); err != nil {
		return err
	}
	return f.Sync()
}
