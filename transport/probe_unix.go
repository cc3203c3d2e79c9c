//go:build unix

package transport

import (
	"net"
	"syscall"
)

// probe returns a question: whether a connection is open and has nothing to read. It
// asks the kernel and takes nothing from the connection.
func probe(w *writeBound) func() bool {
	raw := rawOf(w)
	if raw == nil {
		return func() bool { return true }
	}
	var quiet bool
	look := func(fd uintptr) bool {
		quiet = isQuiet(fd)
		return true // whatever came of it: nothing is waited for
	}
	return func() bool {
		quiet = false
		return raw.Read(look) == nil && quiet
	}
}

// asker returns how a request is written to a plain connection of which all has been read: if probe would find it quiet, and
// so that its answer has begun to come when it returns, or never will. Whoever reads then need not find out first that
// there is nothing yet, which costs as much as to read it. What the runtime knows of a connection's readiness it forgets as
// raw.Read begins; so what has come by then must be looked for, and what comes later ends the wait.
func asker(w *writeBound) func(request *[]byte) (quiet bool, err error) {
	raw := rawOf(w)
	if raw == nil {
		return nil
	}
	var (
		request       *[]byte
		quiet, looked bool
		failed        error
	)
	ask := func(fd uintptr) bool {
		if looked {
			return true
		}
		looked = true
		if quiet = isQuiet(fd); !quiet {
			return true
		}
		_, failed = w.Write(*request)
		buffers.Put(request)
		request = nil
		return failed != nil
	}
	return func(r *[]byte) (bool, error) {
		request, quiet, looked, failed = r, false, false, nil
		err := raw.Read(ask)
		if !looked {
			return true, err // it is we who have closed it
		}
		return quiet, failed // what ended the wait ends the read, too
	}
}

// rawOf is the connection to the kernel's eyes; nil if it is none.
func rawOf(w *writeBound) syscall.RawConn {
	tcp, ok := w.Conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

func isQuiet(fd uintptr) bool {
	for {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		}
	}
}
