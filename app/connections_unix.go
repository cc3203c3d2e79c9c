//go:build linux || darwin

package app

import (
	"math"
	"syscall"
)

// maxConnections is half of the files that this process may open: the other half
// is for connections to providers.
func maxConnections() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(limit.Cur / 2)
}
