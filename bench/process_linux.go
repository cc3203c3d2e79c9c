package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// cpuTime is the user and system time of a running process so far. The process's
// own clock is read (clock_getcpuclockid(3)), since /proc/PID/stat counts in ticks
// of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of linux/posix-timers.h
	var ts syscall.Timespec
	clock := uintptr(^pid<<3 | schedClock)
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, errno)
	}
	return time.Duration(ts.Nano()), nil
}

// memory is the resident memory of a running process in bytes.
func memory(pid int) (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("read the memory of process %d: got %q", pid, text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// flush makes what was written into a file durable, but for its size and times.
func flush(f *os.File) error {
	if err := syscall.Fdatasync(int(f.Fd())); err != nil {
		return fmt.Errorf("flush the journal: %w", err)
	}
	return nil
}

// littleRoom has a connection take 4 KiB or so that nobody reads, as it does for a client that is behind. By itself it takes
// 64 KiB or more at a time, over loopback, and then nothing for as long as a slow reader needs to read as much.
func littleRoom(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) // without it, only more is taken
	})
}

// readNow reads what is there, and waits for nothing.
func readNow(c syscall.RawConn, p []byte) (n int, err error) {
	gone := c.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p)
		return true
	})
	if gone != nil {
		return 0, gone
	}
	return n, err
}

// filesAllowed is how many files a process may have open.
func filesAllowed() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt
	}
	return int(min(limit.Cur, math.MaxInt))
}
