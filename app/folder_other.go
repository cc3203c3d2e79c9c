//go:build !linux && !darwin

package app

import "os"

// private knows no owners and modes here: a folder has those of the one it is made in.
func private(os.FileInfo) error { return nil }

// ownLink knows no owners of links here.
func ownLink(string) error { return nil }

// isShared knows no modes here.
func isShared(string) bool { return false }

// lockPath makes a file that is there only as long as it is open, as far as the system can tell.
func lockPath(path string) (*os.File, error) {
	// A file that a running process has open cannot be removed on Windows; one that was left
	// behind by a crash can.
	_ = os.Remove(path) // what remains is reported below
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return nil, errInUse
	}
	return f, err
}
