package transport

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// ListenSlow sets a listener up for clients that read slowly, before it accepts any.
func ListenSlow(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return boundSegments(raw)
}

// client is a client's connection. Its writes fail once the client has vanished without a word. A silent one is noticed by
// probes; what is sent to it stops those, and the kernel tries to deliver it for a quarter of an hour. Told to give up sooner
// (TCP_USER_TIMEOUT), it also gives up clients that read slowly: it begins to count when there is no room, and room for less than
// what waits does not end that (net/ipv4/tcp_input.c, tcp_ack_probe). So it is told when the connection is closed.
type client struct {
	*net.TCPConn
	raw      syscall.RawConn
	gone     time.Duration // how long what was sent may go unacknowledged
	patience time.Duration
	// In nanoseconds since 1970: when to look again, since when all that was written may be unacknowledged, and by when
	// writes must be over, 0 for never.
	next, since, by atomic.Int64
}

// Client sets a client's connection up for one that reads slowly and one that has vanished, and returns it as it is to be used.
// A write to one that has vanished fails, if nothing that was written for 20 s was acknowledged. What is not read
// when the connection is closed is given up after patience, or 20 s if that is longer.
func Client(conn *net.TCPConn, patience time.Duration) (net.Conn, error) {
	if err := conn.SetKeepAliveConfig(probes()); err != nil {
		return conn, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return conn, err
	}
	c := &client{TCPConn: conn, raw: raw, gone: deadAfter, patience: patience}
	return c, errors.Join(boundUnsent(raw), c.SetWriteDeadline(time.Time{}))
}

// looks is how often it is looked, while c.gone lasts, whether a client acknowledges what it is sent.
const looks = 10

// SetDeadline bounds reads and writes.
func (c *client) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline bounds writes.
func (c *client) SetWriteDeadline(t time.Time) error {
	by := int64(0)
	if !t.IsZero() {
		by = t.UnixNano()
	}
	c.by.Store(by)
	return c.wait(time.Now(), c.gone)
}

// wait has writes wait for so long, and not beyond their time.
func (c *client) wait(now time.Time, long time.Duration) error {
	until := now.Add(long)
	if by := c.by.Load(); by != 0 && by < until.UnixNano() {
		until = time.Unix(0, by)
	}
	return c.TCPConn.SetWriteDeadline(until)
}

// Write writes, unless the client has vanished.
func (c *client) Write(b []byte) (written int, err error) {
	for {
		if now := time.Now(); now.UnixNano() >= c.next.Load() && c.hasVanished(now) {
			return written, &net.OpError{
				Op: "write", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("write", syscall.ETIMEDOUT),
			}
		}
		n, err := c.TCPConn.Write(b)
		written += n
		if b = b[n:]; !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		now := time.Now()
		if by := c.by.Load(); by != 0 && by <= now.UnixNano() {
			return written, err
		}
		if err := c.wait(now, c.gone/looks); err != nil {
			return written, err
		}
	}
}

// tick is more than what the kernel's account of when something was acknowledged may be off, by which the answer to one's own
// last look comes to be before or after it by chance. It counts in as little as a hundredth of a second.
const tick = 25 * time.Millisecond

// hasVanished reports whether what was sent for as long as c.gone is not acknowledged, nor anything else since.
func (c *client) hasVanished(now time.Time) bool {
	ago, underWay := acknowledged(c.raw)
	return c.unheard(now.UnixNano(), ago, underWay)
}

// unheard is hasVanished at a time in nanoseconds since 1970, when the last acknowledgement came so long ago and something is
// under way or not.
func (c *client) unheard(at int64, ago time.Duration, underWay bool) bool {
	next := at + int64(c.gone/looks)
	if since := c.since.Load(); underWay && since != 0 && at-int64(ago) <= since+int64(tick) {
		c.next.Store(min(next, since+int64(c.gone)))
		return at-since >= int64(c.gone)
	}
	c.next.Store(next)
	c.since.Store(at)
	return false
}

// Close closes the connection.
func (c *client) Close() error {
	_ = setUserTimeout(c.raw, max(c.patience, deadAfter)) // without it, the kernel only tries for longer
	return c.TCPConn.Close()
}

// probes are sent to a silent peer so that one that has vanished is noticed within
// deadAfter.
func probes() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: deadAfter / 2, Interval: deadAfter / 8, Count: 3}
}
