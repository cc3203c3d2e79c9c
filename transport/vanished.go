package transport

import "net"

// NoticeVanished has the kernel give a connection up whose peer has vanished without
// a word: within deadAfter, by probes while nothing is sent, and by the missing
// acknowledgement (on Linux) while something is.
func NoticeVanished(conn *net.TCPConn) error {
	if err := conn.SetKeepAliveConfig(probes()); err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return setUserTimeout(raw, deadAfter)
}

// probes are sent to a silent peer so that one that has vanished is noticed within
// deadAfter.
func probes() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: deadAfter / 2, Interval: deadAfter / 8, Count: 3}
}
