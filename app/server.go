package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/internal/fastlane"
	"github.com/understudy-ai/understudy/transport"
)

// Limits of the two HTTP servers. A body has its own, in the config, and an answer
// has none: streams are bounded by progress.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 32 << 10
)

// server is an HTTP server and the goroutine that runs it.
type server struct {
	http     http.Server
	fast     *fastlane.Server // serves the plain requests; nil if http serves them all
	log      *slog.Logger
	open     atomic.Int64  // connections
	most     int64         // connections at a time
	patience time.Duration // how long a client may refuse to read
	makeRoom func() bool   // closes something that holds a file and is not needed, if there is anything
	porter   *server       // of those that there is no room for, see newPorter; may be nil
	turned   atomic.Int64  // away
	listener net.Listener
	done     chan struct{} // closed when nothing is accepted any more
	leaving  atomic.Bool   // every answer is the last on its connection
}

func newServer(h http.Handler, log *slog.Logger, patience time.Duration) *server {
	s := &server{log: log, patience: patience, most: maxConnections(), makeRoom: func() bool { return false }, done: make(chan struct{})}
	// AWS's SDK for JavaScript speaks HTTP/2 to any address, and over plain TCP without asking first.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = http.Server{
		Protocols:         &protocols,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: patience}, // an answer's own time ends the answer only
		Handler:           s.lastAnswers(h),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         s.count,
		// What net/http has to say is about single clients that misbehave.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// start serves an address, by the socket that was handed over for it if there is one.
func (s *server) start(address string, given net.Listener) error {
	l := given
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", address); err != nil {
			var op *net.OpError
			if errors.As(err, &op) {
				return op.Err // the address is named by the caller
			}
			return err
		}
	}
	if tcp, ok := l.(*net.TCPListener); ok {
		_ = transport.ListenSlow(tcp) // without it, only clients on this machine that read slowly are given up sooner
	}
	s.listener = l
	serve := func(l net.Listener) error { return s.http.Serve(counting{l}) }
	if s.fast != nil {
		serve = s.fast.Serve
	}
	go func() {
		defer close(s.done)
		if err := serve(limited{l, s}); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("no more connections are accepted", "listen", address, "error", err.Error())
		}
	}()
	return nil
}

func (s *server) addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// farewell is how long connections are still taken and used after the end has been decided. A client that is told with
// an answer that it is the last makes its next request elsewhere; one whose connection is closed as it sends cannot know
// whether its request was taken, and many do not send it again.
const farewell = 2 * time.Second

// leave tells clients with their answers to use other connections, and waits until they have, or have said nothing for as
// long as farewell.
func (s *server) leave(ctx context.Context) {
	if s.leaving.Swap(true) {
		return
	}
	const look = 10 * time.Millisecond
	over := time.NewTimer(farewell)
	defer over.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for s.open.Load() > 0 {
		select {
		case <-tick.C:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// lastAnswers has every answer say that it is the last, once the server leaves: in HTTP/2 that makes a GOAWAY.
func (s *server) lastAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// drain takes leave of the clients, stops listening and waits for the connections to be idle, or for ctx.
func (s *server) drain(ctx context.Context) error {
	s.leave(ctx)
	shutdown := s.http.Shutdown
	if s.fast != nil {
		shutdown = s.fast.Shutdown
	}
	if err := shutdown(ctx); err != nil || s.porter == nil {
		return err
	}
	return s.porter.drain(ctx)
}

// close ends what is left. What cannot be closed is closed already.
func (s *server) close() {
	if s.fast != nil {
		_ = s.fast.Close()
	} else {
		_ = s.http.Close()
	}
	if s.listener != nil {
		<-s.done
	}
	if s.porter != nil {
		s.porter.close()
	}
}

func (s *server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}
