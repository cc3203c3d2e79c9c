//go:build unix

package transport

import (
	"net"
	"runtime"
	"testing"
)

// TestAsker holds how a request is written on a connection that has been used before.
func TestAsker(t *testing.T) {
	t.Parallel()
	connect := func(t *testing.T) (ask func(string) (bool, error), own *writeBound, peer net.Conn) {
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
		if peer, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(); peer.Close() })
		own = &writeBound{Conn: conn, limit: deadAfter}
		do := asker(own)
		return func(request string) (bool, error) { b := []byte(request); return do(&b) }, own, peer
	}
	// nothing fails if the peer has been sent anything. By then all is there.
	nothing := func(t *testing.T, own *writeBound, peer net.Conn) {
		t.Helper()
		_ = own.Conn.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // so it was made
		if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("the peer got %d bytes, %v; want nothing", n, err)
		}
	}
	wait := func(t *testing.T, own *writeBound) { // for what the peer did to arrive
		t.Helper()
		for quiet := probe(own); quiet(); {
			runtime.Gosched()
		}
	}
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		ask, own, peer := connect(t)
		go func() {
			b := make([]byte, 3)
			for range 1000 {
				if _, err := peer.Read(b); err != nil {
					return
				}
				_, _ = peer.Write(b)
			}
		}()
		for range 1000 {
			if quiet, err := ask("ask"); !quiet || err != nil {
				t.Fatalf("got quiet %v, %v", quiet, err)
			}
			if probe(own)() {
				t.Fatal("it returned before anything had come")
			}
			if n, err := own.Read(make([]byte, 3)); n != 3 || err != nil {
				t.Fatalf("read %d bytes, %v; want the answer", n, err)
			}
		}
	})
	t.Run("something has come before", func(t *testing.T) {
		t.Parallel()
		ask, own, peer := connect(t)
		_, _ = peer.Write([]byte("x"))
		wait(t, own)
		if quiet, err := ask("ask"); quiet || err != nil {
			t.Errorf("got quiet %v, %v; want neither", quiet, err)
		}
		nothing(t, own, peer)
	})
	t.Run("the peer sends no more", func(t *testing.T) {
		t.Parallel()
		ask, own, peer := connect(t)
		_ = peer.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // a TCP listener accepts nothing else
		wait(t, own)
		if quiet, err := ask("ask"); quiet || err != nil {
			t.Errorf("got quiet %v, %v; want neither", quiet, err)
		}
		nothing(t, own, peer)
	})
	t.Run("closed before", func(t *testing.T) {
		t.Parallel()
		ask, own, _ := connect(t)
		own.Close()
		if quiet, err := ask("ask"); !quiet || err == nil {
			t.Errorf("got quiet %v, %v; want an error", quiet, err)
		}
	})
	t.Run("closed meanwhile", func(t *testing.T) {
		t.Parallel()
		ask, own, peer := connect(t)
		go func() {
			_, _ = peer.Read(make([]byte, 3)) // so that it waits
			own.Close()
		}()
		if quiet, err := ask("ask"); !quiet || err != nil {
			t.Errorf("got quiet %v, %v; want it to be the read's to fail", quiet, err)
		}
		if n, err := own.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("read %d bytes, %v; want an error", n, err)
		}
	})
}
