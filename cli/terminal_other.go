//go:build !linux && !darwin

package cli

import "io"

// canRedraw is false where a terminal may not understand ANSI cursor movements; lines are written then.
const canRedraw = false

// columns is not known here.
func columns(io.Writer) int { return 0 }
