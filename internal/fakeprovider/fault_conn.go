package fakeprovider

import "strings"

// refused is the kind that closes the listener.
const refused = "refused"

// connFaults break the connection before an answer begins.
func connFaults() []kind {
	conn := func(name, row, what string, early, slow bool, apply func(x *exchange, p *plan)) kind {
		return kind{Info: Info{Kind: name, Rows: []string{row}, What: what, Want: Failover, Unary: true, Stream: true, Slow: slow}, early: early, apply: apply}
	}
	raw := func(steps ...step) func(*exchange, *plan) {
		return func(_ *exchange, p *plan) { p.raw, p.steps, p.frames = true, steps, nil }
	}
	closed := conn(refused, "A4", "the listener is closed", true, false, raw(step{act: reset}))
	closed.ServerWide = true
	race := conn("keepalive-race", "A11", "a connection is closed without an answer when it is used again; the first request of each is answered", true, false, keepAliveRace)
	race.Want = Serve // by one retry on a fresh connection
	return []kind{
		closed,
		conn("reset-early", "A12", "RST as soon as the request's headers are read", true, false, raw(step{act: reset})),
		conn("close-early", "A11", "the connection is closed as soon as the request's headers are read, no byte sent", true, false, raw(step{act: drop})),
		race,
		conn("reset", "A12", "RST after the whole request, no byte sent", false, false, raw(step{act: reset})),
		conn("close", "A12", "the connection is closed after the whole request, no byte sent", false, false, raw(step{act: drop})),
		conn("hang", "D1", "no headers", false, true, func(_ *exchange, p *plan) { p.status, p.steps = 0, []step{{act: stall}} }),
		conn("deaf", "A14", "the request's body is never read, nothing is answered", true, true, deaf),
		conn("half-headers", "A12", "the headers stop in the middle, then the connection closes", false, false, raw(step{write: []byte("HTTP/1.1 200 OK\r\nContent-Type: appl"), act: drop})),
		conn("huge-headers", "A15", "headers of 16 MiB", false, false, hugeHeaders),
		conn("endless-1xx", "A15", "103 Early Hints without end", false, true, raw(step{write: []byte("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"), act: flood})),
		conn("not-http", "A15", "an answer that is not HTTP", false, false, raw(step{write: []byte("SSH-2.0-OpenSSH_9.9\r\n"), act: drop})),
	}
}

func keepAliveRace(x *exchange, p *plan) {
	if x.seen.ConnTurn > 1 {
		p.raw, p.steps = true, []step{{act: drop}}
		return
	}
	x.fault = &Fault{} // this one is answered
	x.s.journal.note(x.seen, func(e *Seen) { e.Fault = "" })
}

// deaf never reads the request's body, so that a large one blocks its sender.
func deaf(x *exchange, p *plan) {
	p.raw, p.steps = x.r.ProtoMajor == 1, []step{{act: stall}}
}

func hugeHeaders(_ *exchange, p *plan) {
	line := []byte("X-Padding: " + strings.Repeat("a", 64<<10-13) + "\r\n")
	p.raw, p.frames = true, nil
	p.steps = []step{{write: []byte("HTTP/1.1 200 OK\r\n")}}
	for range 256 {
		p.steps = append(p.steps, step{write: line})
	}
	p.steps = append(p.steps, step{write: []byte("Content-Length: 2\r\n\r\n{}"), act: drop})
}
