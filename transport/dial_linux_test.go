package transport

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestBlackHole connects to a socket whose queue is full, so that nothing answers.
func TestBlackHole(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*syscall.SockaddrInet4).Port))
	for full := false; !full; {
		conn, err := net.DialTimeout("tcp", at, 100*time.Millisecond)
		if full = err != nil; !full {
			defer conn.Close()
		}
	}
	for _, scheme := range []string{"http://", "https://"} {
		e := failingSend(t, newTransport(t, Options{}), Request{URL: scheme + at, Connect: 100 * time.Millisecond})
		check(t, e, PhaseConnect, false, false)
		if !errors.Is(e, errConnectTimeout) {
			t.Errorf("%s: got %v, want that it took too long", scheme, e)
		}
	}
}

// TestSocketOptions reads back what finds a dead peer.
func TestSocketOptions(t *testing.T) {
	at := listen(t, func(conn net.Conn, _ int) { conn.Read(make([]byte, 1)) })
	d := &dialer{names: &newTransport(t, Options{}).names, private: true}
	conn, err := d.dial(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*writeBound).Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(level, name int) (value int) {
		raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, name) })
		return value
	}
	if got := option(syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != int(deadAfter.Milliseconds()) || err != nil {
		t.Errorf("TCP_USER_TIMEOUT: got %d, %v, want %d", got, err, deadAfter.Milliseconds())
	}
	idle := option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
	probes := option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL) * option(syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT)
	if found := time.Duration(idle+probes) * time.Second; option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) == 0 || found > deadAfter {
		t.Errorf("keep-alive: got a dead peer found after %v, want at most %v", found, deadAfter)
	}
}
