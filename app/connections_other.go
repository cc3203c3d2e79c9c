//go:build !linux && !darwin

package app

import "math"

// maxConnections is unlimited where the system sets no limit of open files.
func maxConnections() int64 { return math.MaxInt64 }
