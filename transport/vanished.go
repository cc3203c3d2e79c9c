package transport

import (
	"net"
	"time"
)

// ReadySlow sets a client's connection up for one that reads slowly and one that has vanished. A vanished one is
// noticed when it has acknowledged nothing for deadAfter, or for patience if that is longer, since a client that reads
// nothing acknowledges nothing either. Where the system knows such a limit it holds for probes as well, which are
// sent while there is nothing else.
func ReadySlow(conn *net.TCPConn, patience time.Duration) error {
	if err := conn.SetKeepAliveConfig(probes()); err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if err := setUserTimeout(raw, max(patience, deadAfter)); err != nil {
		return err
	}
	return boundUnsent(raw)
}

// probes are sent to a silent peer so that one that has vanished is noticed within
// deadAfter.
func probes() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: deadAfter / 2, Interval: deadAfter / 8, Count: 3}
}
