package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// folder is the data folder of a running program, which no other one uses meanwhile.
type folder struct {
	path string
	lock *os.File
}

// errInUse is a data folder that another process has locked.
var errInUse = errors.New("another gateway uses it")

// lockFile is held as long as the folder is in use. It is never removed: a process that waits
// for it would else lock a file that is no longer there.
const lockFile = "lock"

// openFolder makes a data folder if there is none, checks that nobody else can read it, and
// takes it for this process.
func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	if err := ownLink(path); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errors.New("is a file, want a folder")
	}
	if err := private(info); err != nil {
		return nil, fmt.Errorf("%w\nhint: chmod 700 %s", err, path)
	}
	if err := local(path); err != nil {
		return nil, err
	}
	lock, err := lockPath(filepath.Join(path, lockFile))
	if err != nil {
		return nil, err
	}
	return &folder{path: path, lock: lock}, nil
}

// close lets other processes have the folder; no folder has nothing to close.
func (f *folder) close() {
	if f != nil {
		_ = f.lock.Close() // which also unlocks it
	}
}
