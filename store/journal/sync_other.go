//go:build !linux

package journal

import "os"

// flush makes what was written into a file durable.
func flush(f *os.File) error { return f.Sync() }

// syncFolder has nothing to do: where it matters, Sync of the file is enough.
func syncFolder(string) error { return nil }
