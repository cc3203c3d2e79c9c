package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxAddresses bounds how many addresses of a host are tried.
	maxAddresses = 8
	// headStart is how long an address is tried before the next one is tried beside
	// it (RFC 8305 section 5).
	headStart = 250 * time.Millisecond
)

// connectKey is the context key of how long a connection may take. net/http keeps
// a request's values for its dial, but not its deadline.
type connectKey struct{}

func withConnectTime(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, connectKey{}, r.Connect)
}

func connectTimeout(ctx context.Context) time.Duration {
	if d, _ := ctx.Value(connectKey{}).(time.Duration); d > 0 {
		return d
	}
	return defaultConnect
}

// dialError says in which phase a connection failed.
type dialError struct {
	phase Phase
	err   error
}

// Error returns the cause's words.
func (e *dialError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.err }

// dialer connects to one provider, or to the proxy before it.
type dialer struct {
	names    *names
	private  bool // loopback and private addresses are allowed
	tls      *tls.Config
	makeRoom func() bool // see Transport
}

// dial connects to addr, a host and a port.
func (d *dialer) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout(ctx), errConnectTimeout)
	defer cancel()
	return d.connect(ctx, addr)
}

// dialTLS connects to addr and shakes hands, both within the time to connect.
func (d *dialer) dialTLS(ctx context.Context, _, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout(ctx), errConnectTimeout)
	defer cancel()
	conn, err := d.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName, _, _ = net.SplitHostPort(addr)
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &dialError{PhaseTLS, timeoutOr(ctx, err)}
	}
	return secure, nil
}

func (d *dialer) connect(ctx context.Context, addr string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &dialError{PhaseResolve, errURL}
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, &dialError{PhaseResolve, errURL}
	}
	addrs, err := d.names.lookup(ctx, host)
	if err != nil {
		return nil, &dialError{PhaseResolve, err}
	}
	conn, err := d.race(ctx, alternate(addrs), uint16(port))
	if err != nil {
		return nil, &dialError{PhaseConnect, timeoutOr(ctx, err)}
	}
	return &writeBound{Conn: conn, limit: deadAfter}, nil
}

// timeoutOr words every way to run out of time alike: net watches ctx's deadline
// itself, and may be a little earlier.
func timeoutOr(ctx context.Context, err error) error {
	var late net.Error
	if errors.Is(context.Cause(ctx), errConnectTimeout) || errors.As(err, &late) && late.Timeout() {
		return errConnectTimeout
	}
	return err
}

// race tries the addresses one after the other, the next as soon as one has failed
// or had its head start. The first connection wins; race returns when all tries
// are over.
func (d *dialer) race(ctx context.Context, addrs []netip.Addr, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	started, over := 0, 0
	start := func() {
		addr := netip.AddrPortFrom(addrs[started], port).String()
		started++
		go func() {
			conn, err := d.dialAddress(ctx, addr)
			results <- result{conn, err}
		}()
	}
	start()
	timer := time.NewTimer(headStart)
	defer timer.Stop()
	var won net.Conn
	var first error // the failure of the address that the resolver prefers
	for over < started {
		select {
		case <-timer.C:
			if won == nil && started < len(addrs) && ctx.Err() == nil {
				start()
				timer.Reset(headStart)
			}
		case r := <-results:
			over++
			switch {
			case r.err == nil && won == nil:
				won = r.conn
				cancel()
			case r.err == nil:
				r.conn.Close()
			case won == nil:
				if first == nil {
					first = r.err
				}
				if started < len(addrs) && ctx.Err() == nil {
					start()
					timer.Reset(headStart)
				}
			}
		}
	}
	if won != nil {
		return won, nil
	}
	return nil, first
}

// dialAddress connects to an address after the guard has seen it: the very address
// that the socket connects to, whatever a name meant before.
func (d *dialer) dialAddress(ctx context.Context, addr string) (net.Conn, error) {
	dialer := net.Dialer{
		KeepAliveConfig: probes(),
		ControlContext: func(_ context.Context, _, address string, c syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if err := Allowed(to.Addr(), d.private); err != nil {
				return err
			}
			return setUserTimeout(c, deadAfter)
		},
	}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	for LacksFiles(err) && d.makeRoom() { // which others may be faster to take
		conn, err = dialer.DialContext(ctx, "tcp", addr)
	}
	return conn, err
}

// alternate puts the address families by turns, so that one that leads nowhere does
// not use up the time to connect, and leaves out what is too many to try.
func alternate(addrs []netip.Addr) []netip.Addr {
	var same, other []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	out := make([]netip.Addr, 0, maxAddresses)
	for i := 0; len(out) < maxAddresses && (i < len(same) || i < len(other)); i++ {
		if i < len(same) {
			out = append(out, same[i])
		}
		if i < len(other) && len(out) < maxAddresses {
			out = append(out, other[i])
		}
	}
	return out
}

// writeBound fails a write that makes no progress because the peer reads nothing. It
// counts what was read, by which an answer is known that came before its request.
type writeBound struct {
	net.Conn
	limit time.Duration
	read  atomic.Int64 // bytes
	flow  flow         // in HTTP/2
	// The deadline that is set, in nanoseconds after the connection was first written to: the
	// wall clock may be set back, which deadlines do not follow.
	until atomic.Int64
	begun atomic.Pointer[time.Time]
}

// Read reads and counts, as long as what comes is of use.
func (w *writeBound) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.flow.isFlood(w.read.Add(int64(n))) {
		_ = w.Close()
		return 0, errFlood
	}
	return n, err
}

// Write writes b within the limit, or up to a quarter less: the deadline is not moved for
// every write.
func (w *writeBound) Write(b []byte) (int, error) {
	now := time.Now()
	begun := w.begun.Load()
	if begun == nil {
		first := now // which is kept, unlike that of other writes
		begun = &first
		w.begun.Store(begun)
	}
	if until := now.Sub(*begun) + w.limit; until-time.Duration(w.until.Load()) > w.limit/4 {
		if err := w.SetWriteDeadline(now.Add(w.limit)); err != nil {
			return 0, err
		}
		w.until.Store(int64(until))
	}
	return w.Conn.Write(b)
}
