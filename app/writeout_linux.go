package app

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// writeOut has the system begin, every few milliseconds until stop, to write what is new in a file that is being made. Else
// that waits until the file is flushed, and while the disk is busy with all of it a gateway's calls wait for their journal
// (docs/decisions/0044-a-copy-beside-calls.md). Stop it when nobody uses the file any more: a program that closes a file
// loses its locks on it.
func writeOut(path string) (stop func()) {
	const (
		every = 5 * time.Millisecond
		begin = 2 // SYNC_FILE_RANGE_WRITE of linux/fs.h: it waits for nothing
	)
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var file *os.File
		for {
			select {
			case <-done:
				if file != nil {
					_ = file.Close() // nothing was written through it
				}
				return
			case <-tick.C:
			}
			if file == nil {
				file, _ = os.OpenFile(path, os.O_WRONLY, 0) // it may not be there yet
			}
			if file != nil {
				_ = syscall.SyncFileRange(int(file.Fd()), 0, 0, begin) // where it cannot be done, all is as it would be without
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}
