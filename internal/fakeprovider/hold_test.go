package fakeprovider

import (
	"errors"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
)

// TestRefusedPortIsKept wants the port of a server that refuses connections for something else.
func TestRefusedPortIsKept(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: ports are not kept on Windows; `.ci/run` runs it elsewhere")
	}
	s, other := start(t, Options{}), start(t, Options{})
	if err := s.SetFault(&Fault{Kind: refused}); err != nil {
		t.Fatal(err)
	}
	from, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", other.addr)
	if !errors.Is(err, syscall.EADDRINUSE) {
		if err == nil {
			conn.Close()
		}
		t.Errorf("got %v for a connection from %s, want that it is in use", err, s.addr)
	}
	if err := s.SetFault(nil); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(s.RootURL())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
