package fakeprovider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	defaultKeep = 4096
	maxBody     = 32 << 20 // as Anthropic's; a longer request gets a 413
)

// Options say how a server behaves. The zero value accepts any key and any model.
type Options struct {
	Key     string           // the key wanted; "" wants any
	Models  []string         // the models served, without markers; empty serves every name
	Replies map[string]Reply // answers by model name (markers cut off)
	Script  func(Ask) *Reply // makes an answer, or nil for the default one; called concurrently
	Delay   time.Duration    // wait before each streamed chunk, or before the unary body, where the reply sets none
	Lax     bool             // accept what compatible servers accept: unknown fields, parameters a model would refuse, foreign signatures
	Keep    int              // requests the journal keeps; 0 means 4096, negative none
}

// Server is a simulated vendor. Its methods may be called concurrently. It can be used as an
// http.Handler, or start its own listener, which the faults that close it need.
type Server struct {
	opts    Options
	journal journal
	number  atomic.Int64 // requests, for ids
	conns   atomic.Int64

	mu      sync.Mutex
	fault   *Fault
	queue   []Fault
	replies []Reply
	issued  map[string]bool // signatures and redacted data handed out
	addr    string          // listening address, kept over a refusal
	srv     *http.Server    // nil while not listening
	socket  net.Listener    // of srv
	release func()          // gives up addr, which is held while not listening
	paused  chan struct{}   // closed when streams may go on; nil while they may
	tls     *tls.Config
	pool    *x509.CertPool
	closed  bool

	closing chan struct{} // ends every fault that waits
	running sync.WaitGroup
	bomb    func() []byte
}

// New returns a server that does not listen yet.
func New(o Options) *Server {
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	return &Server{
		opts: o, journal: journal{keep: o.Keep}, closing: make(chan struct{}),
		issued: map[string]bool{}, bomb: sync.OnceValue(gzipBomb),
	}
}

// Start listens on a free port of 127.0.0.1 and returns the base URL ("http://127.0.0.1:40001/v1",
// without a trailing slash) that OpenAI's SDKs want; RootURL gives the one without /v1.
func (s *Server) Start() (baseURL string, err error) {
	if err := s.listen("127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("start fake provider: %w", err)
	}
	return s.RootURL() + "/v1", nil
}

// StartTLS is Start with TLS and HTTP/2, under a certificate for 127.0.0.1 and localhost that CAPool
// trusts.
func (s *Server) StartTLS() (baseURL string, err error) {
	if s.tls, s.pool, err = newCertificate(); err != nil {
		return "", fmt.Errorf("start fake provider: %w", err)
	}
	return s.Start()
}

// RootURL returns the scheme and address, "http://127.0.0.1:40001", as Anthropic's SDKs want it.
// It is empty before Start.
func (s *Server) RootURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.addr == "":
		return ""
	case s.tls != nil:
		return "https://" + s.addr
	}
	return "http://" + s.addr
}

// CAPool returns the pool that trusts the certificate of StartTLS, nil otherwise.
func (s *Server) CAPool() *x509.CertPool { return s.pool }

// Close stops listening, breaks every connection, ends every waiting fault, and waits for the
// handlers to return.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	_ = s.refuse(true)
	s.keep(nil)
	s.running.Wait()
}

// listen serves on addr; the address is remembered so that a refusal can be mended.
func (s *Server) listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:     s,
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return s.newConn(ctx) },
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close()
		return errors.New("server is closed")
	}
	s.addr, s.srv, s.socket = l.Addr().String(), srv, l
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		if s.tls != nil {
			srv.TLSConfig = s.tls.Clone()
			_ = srv.ServeTLS(l, "", "")
			return
		}
		_ = srv.Serve(l)
	}()
	return nil
}

// refuse stops listening, so that connecting fails, or listens again on the same address.
func (s *Server) refuse(on bool) error {
	s.mu.Lock()
	srv, socket, addr := s.srv, s.socket, s.addr
	if on {
		s.srv = nil
	}
	s.mu.Unlock()
	switch {
	case on && srv != nil:
		_ = socket.Close() // the server may not have taken it over yet
		_ = srv.Close()
		s.keep(hold(addr))
	case !on && srv == nil && addr != "":
		s.keep(nil)
		return s.resume(addr)
	}
	return nil
}

// keep replaces what gives up the address. A server that is closed needs none any more.
func (s *Server) keep(release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.release != nil {
		s.release()
	}
	if s.release = release; s.closed && release != nil {
		s.release = nil
		release()
	}
}

// resume listens where the server has listened. Somebody's connection may have that port for a moment.
func (s *Server) resume(addr string) error {
	const patience = 10 * time.Second
	for until := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := s.listen(addr)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(until) {
			return err
		}
	}
}

// connection counts the requests of one connection.
type connection struct {
	id    int
	turns atomic.Int64
}

type connectionKey struct{}

func (s *Server) newConn(ctx context.Context) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{id: int(s.conns.Add(1))})
}

// enter reports whether the server is open, and counts the handler if so.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.running.Done()
	x := s.newExchange(w, r)
	s.journal.add(x.seen)
	stop := context.AfterFunc(r.Context(), x.clientLeft)
	defer func() {
		stop()
		if r.Context().Err() != nil {
			x.clientLeft() // the goroutine that would say so may have been stopped just now
		}
		s.journal.note(x.seen, func(e *Seen) { e.Done = time.Now() })
	}()
	x.fault = s.pick(r.Header.Get(FaultHeader))
	if k := x.kind(); k != nil && k.early {
		x.noteFault()
		p := &plan{header: http.Header{}}
		k.apply(x, p)
		if p.steps != nil {
			x.play(p)
			return
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	s.journal.note(x.seen, func(e *Seen) { e.Body = body })
	x.play(x.answer(body))
}

// newExchange starts the record of a request.
func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{s: s, w: w, r: r, number: s.number.Add(1)}
	x.vendor = vendorOf(r)
	x.seen = &Seen{
		Time: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), Proto: r.Proto,
	}
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		x.seen.Conn, x.seen.ConnTurn = c.id, int(c.turns.Add(1))
	}
	return x
}

// operationOf finds the vendors of what is asked for beside answers, by its path.
func operationOf(r *http.Request) vendor {
	for _, v := range []vendor{embeddings{}, cohereEmbed{}, ollamaEmbed{}, jinaRerank{}, cohereRerank{}, anthropicCount{}, textEmbed{}, textEmbed{jina: true}, voyageRerank{}} {
		if r.URL.Path == v.chatPath() {
			return v
		}
	}
	for _, of := range []func(*http.Request) vendor{titanOf, vertexOf} {
		if v := of(r); v != nil {
			return v
		}
	}
	if v := geminiCountOf(r); v != nil {
		return v
	}
	return geminiEmbedOf(r)
}

// vendorOf tells the vendors apart: by path, and on shared paths by a header of their SDKs.
func vendorOf(r *http.Request) vendor {
	if v := operationOf(r); v != nil {
		return v
	}
	if v := bedrockOf(r); v != nil {
		return v
	}
	if v := geminiOf(r); v != nil {
		return v
	}
	if strings.HasPrefix(r.URL.Path, "/foundation-models") || strings.HasPrefix(r.URL.Path, "/model/") {
		return bedrock{}
	}
	if strings.HasPrefix(r.URL.Path, "/v2/") || r.Header.Get("X-Fern-Sdk-Name") != "" {
		return cohere{}
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return ollama{}
	}
	if r.URL.Path == "/v1/responses" {
		return responses{}
	}
	if r.URL.Path == "/v1/messages" || r.Header.Get("Anthropic-Version") != "" && r.URL.Path != "/v1/chat/completions" {
		return anthropic{}
	}
	return openai{}
}
