package journal

import (
	"fmt"
	"os"
	"syscall"
)

// flush makes what was written into a file durable. Its size does not change, so that its
// metadata need not follow.
func flush(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}

// openDirect opens a file past the kernel's cache.
func openDirect(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|syscall.O_DIRECT, 0)
}

// syncFolder makes a file's name durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("flush the folder: %w", err)
	}
	return nil
}
