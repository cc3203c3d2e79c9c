//go:build !unix

package program

import (
	"os"
	"syscall"
)

// apart changes nothing: there are no groups here.
func apart() *syscall.SysProcAttr { return nil }

// endAll ends the program alone.
func endAll(p *os.Process) error { return p.Kill() }
