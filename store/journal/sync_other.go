//go:build !linux

package journal

import (
	"errors"
	"os"
)

// flush makes what was written into a file durable.
func flush(f *os.File) error { return f.Sync() }

// openDirect would open a file past the kernel's cache.
func openDirect(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// syncFolder has nothing to do: where it matters, Sync of the file is enough.
func syncFolder(string) error { return nil }
