//go:build unix

package fakeprovider

import (
	"net/netip"
	"syscall"
)

// hold keeps a port from being given to others while nobody listens there: a socket is bound to it that does not
// listen. It does nothing where that fails.
func hold(addr string) (release func()) {
	release = func() {}
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().Is4() {
		return release
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return release
	}
	syscall.CloseOnExec(fd)
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	_ = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	return func() { _ = syscall.Close(fd) }
}
