//go:build !linux

package transport

import (
	"syscall"
	"time"
)

// setUserTimeout does nothing where there is no such option: the deadline of each
// write and the keep-alive probes find a dead peer later.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }

// boundUnsent does nothing where there is no such option: more is buffered for a client that reads slowly.
func boundUnsent(syscall.RawConn) error { return nil }

// boundSegments does nothing: nothing is known of other systems.
func boundSegments(syscall.RawConn) error { return nil }

// acknowledged knows of nothing that is under way: a client that has vanished is noticed when no more can be written.
func acknowledged(syscall.RawConn) (ago time.Duration, underWay bool) { return 0, false }
