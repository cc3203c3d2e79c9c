package app

import (
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// accepted is a connection from a client that does nothing.
func accepted(t *testing.T, patience time.Duration) net.Conn {
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
	return conn
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
