package app

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A connection that speaks HTTP/2 is closed when its client gives up more calls than mostResets within resetTime of
// their beginning, and most of all that it makes: a call costs whoever resets it next to nothing.
const (
	resetTime  = time.Second
	mostResets = 500
)

// tally counts the calls of a connection.
type tally struct {
	conn          net.Conn
	calls, resets atomic.Int64
}

type tallyKey struct{}

// withTally makes a connection's context.
func withTally(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, tallyKey{}, &tally{conn: conn})
}

// boundResets counts the calls that come by HTTP/2. By HTTP/1.1 whoever gives a call up loses the connection.
func boundResets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, ok := r.Context().Value(tallyKey{}).(*tally)
		if !ok || r.ProtoMajor < 2 {
			next.ServeHTTP(w, r)
			return
		}
		begun := time.Now()
		calls := t.calls.Add(1)
		next.ServeHTTP(w, r)
		if r.Context().Err() == nil || time.Since(begun) > resetTime {
			return
		}
		if resets := t.resets.Add(1); resets > mostResets && 2*resets > calls {
			t.conn.Close()
		}
	})
}
