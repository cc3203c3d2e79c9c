//go:build unix

package program

import (
	"os"
	"syscall"
)

// apart puts a program into a session of its own: what it starts is in its group, and it has no terminal to ask for a
// password at, where nobody may be.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// endAll ends a program with its group.
func endAll(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
