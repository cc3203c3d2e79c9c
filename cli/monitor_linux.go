package cli

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"
)

// calmMonitor keeps one thread in a sleep of the kernel's while the program works, until ctx ends. Go's runtime has a
// monitor that goes to sleep whenever no goroutine runs, is woken by the next system call, and then looks about every
// 20 µs: thousands of times a second in a program that waits for a disk or for others, which took a fifth of its CPU
// time. While a thread is in a system call the monitor stays up, and as nothing happens it looks every 10 ms. The thread
// has a processor of its own, so that none of the others' is missing. It leaves all that alone if the operator decided
// (docs/decisions/0038-the-monitor.md).
func calmMonitor(ctx context.Context) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	defer runtime.SetDefaultGOMAXPROCS()
	const lull = 10 * time.Second // the work may go on at any moment
	var l load
	var until time.Time
	for ctx.Err() == nil {
		if l.isBusy() {
			until = l.at.Add(lull)
		}
		if l.at.After(until) {
			select { // an idle program shall be woken seldom
			case <-ctx.Done():
			case <-time.After(napping):
			}
			continue
		}
		naps()
	}
}

// napping is how long naps takes, and how often the load is looked at.
const napping = 100 * time.Millisecond

// naps are sleeps of the kernel's, each shorter than the 10 ms after which the monitor would take the processor of a call.
func naps() {
	const nap = 9 * time.Millisecond
	for range napping / nap {
		t := syscall.NsecToTimespec(int64(nap))
		_ = syscall.Nanosleep(&t, nil) // a signal may end it: then it was shorter
		runtime.Gosched()              // the monitor takes the processor of a goroutine that has it for 10 ms, too
	}
}

// load is how much CPU time the program had taken, and when that was looked up.
type load struct {
	used time.Duration
	at   time.Time
}

// isBusy reports whether the program took more than a twentieth of a processor since it was asked last: well above what
// the sleeps take, which else would keep themselves up.
func (l *load) isBusy() bool {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return false
	}
	last := *l
	l.used, l.at = time.Duration(u.Utime.Nano()+u.Stime.Nano()), time.Now()
	return !last.at.IsZero() && l.used-last.used > l.at.Sub(last.at)/20
}
