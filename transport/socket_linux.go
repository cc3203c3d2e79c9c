package transport

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unsent is how much of what a client has no room for the kernel takes. By itself it takes 4 MiB for each, and asks
// for more only when a third of them are gone: a client that reads slowly but steadily would look as if it did not read
// at all, and then be written thousands of events at once, while other clients wait.
const unsent = 16 << 10

// setUserTimeout has the kernel give a connection up whose peer acknowledges nothing for d, or has no room for what comes next
// (TCP_USER_TIMEOUT). Keep-alive probes do not run while bytes are under way.
func setUserTimeout(c syscall.RawConn, d time.Duration) error {
	return setOption(c, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
}

// boundUnsent has the kernel take no more than unsent (TCP_NOTSENT_LOWAT).
func boundUnsent(c syscall.RawConn) error { return setOption(c, unix.TCP_NOTSENT_LOWAT, unsent) }

// maxSegment is what fits into a packet of an Ethernet with jumbo frames.
const maxSegment = 9000 - 40

// boundSegments has the connections that a listener accepts carry segments that networks have (TCP_MAXSEG). Over loopback they have
// 64 KiB otherwise, and a peer says that it has room when it has it for one: a client on the same machine that reads
// a kibibyte a second would seem not to read for a minute or two.
func boundSegments(c syscall.RawConn) error {
	return setOption(c, unix.TCP_MAXSEG, maxSegment)
}

// acknowledged returns how long ago the peer last acknowledged anything, to some milliseconds, and whether it has yet to acknowledge
// what it was sent, or answer whether it has room again.
func acknowledged(c syscall.RawConn) (ago time.Duration, underWay bool) {
	_ = c.Control(func(fd uintptr) { // if that fails the connection is closed already
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			ago = time.Duration(info.Last_ack_recv) * time.Millisecond
			underWay = info.Probes > 0 || info.Unacked > 0 && info.Last_data_sent < info.Last_ack_recv
		}
	})
	return ago, underWay
}

func setOption(c syscall.RawConn, name, value int) error {
	var set error
	err := c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, name, value) })
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", set)
}
