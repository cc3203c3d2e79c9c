//go:build linux || darwin

package app

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// private refuses a folder that somebody else can read or write, or owns.
func private(info os.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others can use it: got mode %04o, want 0700", mode)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("somebody else owns it: got user %d, want %d", s.Uid, os.Geteuid())
	}
	return nil
}

// ownLink refuses a link that somebody else has put where the folder is to be: it may lead to another folder of ours.
func ownLink(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("it is a link that somebody else has made: user %d", s.Uid)
	}
	return nil
}

// isShared reports whether others than a file's owner can read or change it.
func isShared(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0
}

// lockPath opens a file and locks it. The lock ends with the process, however that ends.
func lockPath(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errInUse
		}
		return nil, err
	}
	return f, nil
}
