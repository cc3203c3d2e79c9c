package app

import (
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// accepted is a connection from a client that does nothing.
func accepted(t *testing.T, patience time.Duration) *net.TCPConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := limited{l, newServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler), patience)}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// TestVanishedClientsAreNoticed reads back the limits of an accepted connection.
func TestVanishedClientsAreNoticed(t *testing.T) {
	t.Parallel()
	const patience = 30 * time.Second
	conn := accepted(t, patience)
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(name int) (value int) {
		if controlErr := raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, name) }); controlErr != nil || err != nil {
			t.Fatal(controlErr, err)
		}
		return value
	}
	const userTimeout = 0x12 // TCP_USER_TIMEOUT
	if got := time.Duration(option(userTimeout)) * time.Millisecond; got != patience {
		t.Errorf("got sent bytes given up after %v, want what a client may refuse to read, %v", got, patience)
	}
	silent := time.Duration(option(syscall.TCP_KEEPIDLE)+option(syscall.TCP_KEEPINTVL)*option(syscall.TCP_KEEPCNT)) * time.Second
	if silent > 30*time.Second {
		t.Errorf("got a silent client given up after %v, want at most 30 s", silent)
	}
}

// TestUnreadBytesAreBounded writes to a client that does not read until it would have to wait.
func TestUnreadBytesAreBounded(t *testing.T) {
	t.Parallel()
	conn := accepted(t, time.Minute)
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	var err error
	taken := 0
	for n := 0; err == nil; taken += n {
		n, err = conn.Write(make([]byte, 4<<10))
	}
	if taken > 256<<10 {
		t.Errorf("got %d bytes taken for a client that does not read, want at most 256 KiB", taken)
	}
}
