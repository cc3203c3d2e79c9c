package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segment is a file that is written.
type segment struct {
	file   *os.File
	number int64
	size   int64 // that it was made with; what it is given may be more
	off    int64 // behind all that it was given, written or not
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
	return &segment{file: f, number: number, size: size, off: int64(headerSize)}, nil
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
