package app

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
)

// Variables by which a supervisor hands over sockets that listen already, as systemd does (sd_listen_fds): how many, from
// the descriptor firstSocket on, and to which process. Two programs that are given one socket take connections from the
// same queue, and none that waits in it is lost when one of them ends.
const (
	socketsVariable = "LISTEN_FDS"
	ownerVariable   = "LISTEN_PID"

	firstSocket = 3
	maxSockets  = 16
)

// sockets are those that were handed over, and are not in use yet.
type sockets []net.Listener

// takeSockets takes what was handed over to this process.
func takeSockets(env func(string) (string, bool)) (sockets, error) {
	owner, _ := env(ownerVariable)
	text, given := env(socketsVariable)
	if !given || owner != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("take the sockets that were handed over: got %s=%.20q, want a number up to %d", socketsVariable, text, maxSockets)
	}
	var all sockets
	for fd := firstSocket; fd < firstSocket+n; fd++ {
		f := os.NewFile(uintptr(fd), "socket "+strconv.Itoa(fd))
		l, err := net.FileListener(f)
		_ = f.Close() // the listener has a copy
		if err != nil {
			all.close()
			return nil, fmt.Errorf("take the socket that was handed over as descriptor %d: %w", fd, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// at takes the socket that listens on an address of the config out of those that are left; nil if there is none.
func (s *sockets) at(address string) net.Listener {
	for i, l := range *s {
		if isSameAddress(address, l.Addr().String()) {
			*s = slices.Delete(*s, i, i+1)
			return l
		}
	}
	return nil
}

// wanted is an error if a socket is left over: whoever handed it over expects it to be served.
func (s sockets) wanted() error {
	if len(s) == 0 {
		return nil
	}
	return fmt.Errorf("got a socket for %s, want one for the config's listen or admin", s[0].Addr())
}

func (s sockets) close() {
	for _, l := range s {
		if l != nil {
			_ = l.Close() // nothing was accepted from it
		}
	}
}

// isSameAddress reports whether a socket's address is one of the config's, which may leave out the host.
func isSameAddress(given, socket string) bool {
	host, port, err := net.SplitHostPort(given)
	bound, boundErr := netip.ParseAddrPort(socket)
	if err != nil || boundErr != nil || port != strconv.Itoa(int(bound.Port())) {
		return false
	}
	if host == "" {
		return bound.Addr().IsUnspecified()
	}
	if host == "localhost" {
		return bound.Addr().IsLoopback()
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.Unmap() == bound.Addr().Unmap() || ip.IsUnspecified() && bound.Addr().IsUnspecified())
}
