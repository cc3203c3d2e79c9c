package transport

import (
	"os"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h, which package syscall does not
// name: how long sent bytes may go without acknowledgement, in milliseconds.
const tcpUserTimeout = 0x12

// setUserTimeout has the kernel give a connection up whose peer acknowledges
// nothing for d. Keep-alive probes do not run while bytes are under way.
func setUserTimeout(c syscall.RawConn, d time.Duration) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", set)
}
