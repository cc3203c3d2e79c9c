package app

import (
	"io"
	"net"
	"time"

	"github.com/understudy-ai/understudy/transport"
)

// limited turns connections away when there are too many, so that the files that
// are left suffice for the connections to providers.
type limited struct {
	net.Listener
	server *server
}

const tooMany = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

// Accept returns the next connection that there is room for.
func (l limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return conn, err
		}
		if l.server.open.Load() < l.server.most {
			// What a client is sent while nobody reads it is taken in by the kernel, which
			// would try to deliver it for a quarter of an hour.
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = transport.ReadySlow(tcp, l.server.patience) // without it, only the delay is longer, and more is buffered
			}
			return conn, nil
		}
		// Nothing has been written to the connection yet, so this does not wait.
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, tooMany)
		conn.Close()
	}
}
