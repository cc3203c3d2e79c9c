package transport

import (
	"os"
	"syscall"
	"time"
)

// Options of linux/tcp.h that package syscall does not name.
const (
	tcpUserTimeout  = 0x12 // TCP_USER_TIMEOUT: how long sent bytes may go without acknowledgement, in milliseconds
	tcpNotsentLowat = 0x19 // TCP_NOTSENT_LOWAT: how many bytes that the peer has no room for are taken, about
)

// unsent is how much of what a client has no room for the kernel takes. By itself it takes 4 MiB for each, and asks
// for more only when a third of them are gone: a client that reads slowly but steadily would look as if it did not read
// at all, and then be written thousands of events at once, while other clients wait.
const unsent = 16 << 10

// setUserTimeout has the kernel give a connection up whose peer acknowledges, or reads, nothing for d. Keep-alive
// probes do not run while bytes are under way.
func setUserTimeout(c syscall.RawConn, d time.Duration) error {
	return setOption(c, tcpUserTimeout, int(d.Milliseconds()))
}

// boundUnsent has the kernel take no more than unsent.
func boundUnsent(c syscall.RawConn) error { return setOption(c, tcpNotsentLowat, unsent) }

func setOption(c syscall.RawConn, name, value int) error {
	var set error
	err := c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, name, value) })
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", set)
}
