//go:build linux || darwin

package cli

import (
	"io"
	"syscall"
	"unsafe"
)

// canRedraw says that terminals here understand ANSI cursor movements.
const canRedraw = true

// columns returns how wide the terminal w is; 0 if it does not say.
func columns(w io.Writer) int {
	f, ok := fileOf(w)
	if !ok {
		return 0
	}
	var size struct{ rows, columns, x, y uint16 } // struct winsize of ioctl_tty(2)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0
	}
	return int(size.columns)
}
