//go:build unix

package transport

import (
	"net"
	"syscall"
)

// probe returns a question: whether a connection is open and has nothing to read. It
// asks the kernel and takes nothing from the connection.
func probe(w *writeBound) func() bool {
	tcp, ok := w.Conn.(*net.TCPConn)
	if !ok {
		return func() bool { return true }
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return func() bool { return true }
	}
	var quiet bool
	look := func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR
		return true // whatever came of it: nothing is waited for
	}
	return func() bool {
		quiet = false
		return raw.Read(look) == nil && quiet
	}
}
