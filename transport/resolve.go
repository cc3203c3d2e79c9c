package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

const (
	// resolveTimeout bounds one look-up.
	resolveTimeout = 2 * time.Second
	// staleFor is how long the last good addresses are used while names cannot be
	// looked up.
	staleFor = 5 * time.Minute
	// maxNames bounds the memory of good addresses; hosts come from the config, so it
	// is never near.
	maxNames = 1024
)

var errNoAddress = errors.New("the name has no address")

// names looks names up, and remembers what they last meant for when it cannot.
type names struct {
	resolver Resolver
	now      func() time.Time
	log      *slog.Logger

	mu   sync.Mutex
	good map[string]meaning
}

type meaning struct {
	addrs []netip.Addr
	at    time.Time
}

// lookup returns the addresses of host, at least one. An address in writing means
// itself.
func (n *names) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, resolveTimeout, errConnectTimeout)
	defer cancel()
	found, err := n.resolver.LookupNetIP(limited, "ip", host)
	if err == nil && len(found) == 0 {
		err = errNoAddress
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		if last, ok := n.good[host]; ok && n.now().Sub(last.at) <= staleFor {
			n.log.Warn("a name cannot be looked up, its last addresses are used", "host", host, "error", err)
			return last.addrs, nil
		}
		return nil, err
	}
	addrs := make([]netip.Addr, 0, min(len(found), 2*maxAddresses))
	for _, a := range found[:min(len(found), 2*maxAddresses)] {
		addrs = append(addrs, a.Unmap()) // the resolver writes IPv4 addresses so, too
	}
	if n.good == nil || len(n.good) >= maxNames {
		n.good = make(map[string]meaning)
	}
	n.good[host] = meaning{addrs, n.now()}
	return addrs, nil
}
