package transport

import (
	"bufio"
	"fmt"
	"net"
	"testing"
)

// TestMakeRoom closes unused connections to providers and, when there are none, has something else closed.
func TestMakeRoom(t *testing.T) {
	at := listen(t, func(conn net.Conn, n int) {
		for br := bufio.NewReader(conn); readRequest(br) == nil; {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", n)
		}
	})
	asked := 0
	tr := newTransport(t, Options{MakeRoom: func() bool { asked++; return asked == 2 }})
	wantBy := func(n string) {
		t.Helper()
		if _, got, err := send(t, tr, Request{URL: "http://" + at}); got != n || err != nil {
			t.Errorf("got an answer by connection %q, %v, want %s", got, err, n)
		}
	}
	wantBy("1")
	wantBy("1")
	for i, want := range []bool{true, false, true} {
		if got := tr.MakeRoom(); got != want || asked != i {
			t.Errorf("%d: got room %v, and something else asked for %d times, want %v and %d", i, got, asked, want, i)
		}
	}
	wantBy("2")
}
