package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// clientPair is a client's connection, as the gateway has it and as the client does.
func clientPair(t *testing.T, patience time.Duration) (ours *client, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Client(accepted.(*net.TCPConn), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*client), conn.(*net.TCPConn)
}

func option(t *testing.T, conn syscall.Conn, name int) (value int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if controlErr := raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, name) }); controlErr != nil || err != nil {
		t.Fatal(controlErr, err)
	}
	return value
}

// TestClientVanishes has a client's side of the network go, while little is written to it now and then, and while more is
// than it has room for.
func TestClientVanishes(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"little": 4, "much": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clientVanishes(t, size)
		})
	}
}

func clientVanishes(t *testing.T, size int) {
	ours, theirs := clientPair(t, time.Minute)
	ours.gone = 400 * time.Millisecond
	if err := ours.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	silent := time.Duration(option(t, ours, syscall.TCP_KEEPIDLE)+option(t, ours, syscall.TCP_KEEPINTVL)*option(t, ours, syscall.TCP_KEEPCNT)) * time.Second
	if silent > 30*time.Second {
		t.Errorf("got a silent client given up after %v, want at most 30 s", silent)
	}
	write := func(n int) error { _, err := ours.Write(make([]byte, n)); return err }
	for range 20 { // for longer than c.gone: what is acknowledged later is not the same as what is not
		if err := write(4); err != nil {
			t.Fatalf("got %v, want it written to a client that is there", err)
		}
		time.Sleep(30 * time.Millisecond)
	}
	raw, err := theirs.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	if err := raw.Control(func(fd uintptr) {
		err := unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
		if err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	vanished := time.Now()
	ours.next.Store(0) // the next write looks, so that what is found is from here on
	for err = nil; err == nil && time.Since(vanished) < 20*time.Second; time.Sleep(30 * time.Millisecond) {
		err = write(size)
	}
	if took := time.Since(vanished); !errors.Is(err, syscall.ETIMEDOUT) || took < ours.gone {
		t.Errorf("got %v after %v, want a time-out after %v", err, took, ours.gone)
	}
}

// TestClientVanishesAfterALook has the last acknowledgement come when something was written after a look, at once. The kernel
// counts in ticks, and has it before that look at one time and after it at another.
func TestClientVanishesAfterALook(t *testing.T) {
	const second = int64(time.Second)
	c := &client{gone: 20 * time.Second}
	begun := 1000 * second
	if c.unheard(begun, time.Minute, false) {
		t.Fatal("got a client vanished that nothing was sent to")
	}
	for n := range int64(20) {
		after := n % 3 * int64(10*time.Millisecond) / 2
		at := begun + n*second
		if c.unheard(at, time.Duration(at-begun-after), true) {
			t.Errorf("got a client vanished %d s after it was heard, want 20", n)
		}
	}
	if at := begun + 20*second; !c.unheard(at, 20*time.Second, true) {
		t.Error("got a client there that was not heard for 20 s")
	}
	if at := begun + 20*second; c.unheard(at, 19*time.Second, true) {
		t.Error("got a client vanished that was heard after its last look, want it there")
	}
}

// TestClientReadsSlowly writes to a client that makes room for a little again and again, and never for all that waits.
func TestClientReadsSlowly(t *testing.T) {
	t.Parallel()
	ours, theirs := clientPair(t, time.Minute)
	ours.gone = 300 * time.Millisecond
	if err := ours.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := theirs.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if got := option(t, ours, unix.TCP_USER_TIMEOUT); got != 0 {
		t.Errorf("got the kernel giving up after %d ms, want it to try: it takes a small window for none", got)
	}
	over := time.Now().Add(5 * ours.gone)
	go func() {
		piece := make([]byte, 512)
		for time.Now().Before(over) {
			if _, err := io.ReadFull(theirs, piece); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		_, _ = io.Copy(io.Discard, theirs)
	}()
	for time.Now().Before(over) {
		if _, err := ours.Write(make([]byte, 4<<10)); err != nil {
			t.Fatalf("got %v, want all written to a client that reads", err)
		}
	}
}

// TestClientReadsNothing writes to a client that is there and reads nothing. What comes when there is no room is dropped, and
// sent again at ever greater intervals: between those the client has no reason to say anything.
func TestClientReadsNothing(t *testing.T) {
	t.Parallel()
	ours, theirs := clientPair(t, time.Minute)
	ours.gone = 300 * time.Millisecond
	if err := theirs.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	patience := 5 * ours.gone
	if err := ours.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Write(make([]byte, 8<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the client kept for %v", err, patience)
	}
}

// TestClientIsClosed has the kernel give up what a client does not read, when nobody else watches any more.
func TestClientIsClosed(t *testing.T) {
	t.Parallel()
	ours, _ := clientPair(t, time.Minute)
	same, err := ours.File() // outlives it
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	if got := option(t, same, unix.TCP_USER_TIMEOUT); got != int(time.Minute/time.Millisecond) {
		t.Errorf("got unread bytes given up after %d ms, want a minute", got)
	}
}
