package fakeprovider

import (
	"bytes"
	"crypto/tls"
	"iter"
	"net"
	"net/http"
	"slices"
	"time"
)

// frameKind says what a stream's event is for, so that faults find their place.
type frameKind int

const (
	frameStart    frameKind = iota + 1 // message_start, a role chunk
	frameOpen                          // content_block_start
	frameShut                          // content_block_stop
	framePing                          // ping
	frameText                          // a piece of text
	frameThinking                      // a piece of thinking
	frameTool                          // a piece of a tool call
	frameFinish                        // the finish reason
	frameUsage                         // the usage chunk
	frameDone                          // the terminator
	frameError                         // an error event
)

// frame is one event of a stream.
type frame struct {
	name string // event line, "" for none
	data string
	kind frameKind
	form form
}

func (f frame) content() bool {
	return f.kind == frameText || f.kind == frameThinking || f.kind == frameTool
}

func (f frame) bytes() []byte {
	switch f.form {
	case formSSE:
	case formBare:
		return []byte(f.data)
	case formLine:
		return append([]byte(f.data), '\n')
	default:
		return f.message()
	}
	var b []byte
	if f.name != "" {
		b = append(append(append(b, "event: "...), f.name...), '\n')
	}
	return append(append(append(b, "data: "...), f.data...), "\n\n"...)
}

// plan is an answer about to be sent. Faults change it.
type plan struct {
	first  time.Duration // before the headers
	delay  time.Duration // before each content frame, or before the body
	status int
	header http.Header
	frames []frame
	body   []byte
	steps  []step // what to send; made from frames or body when nil
	raw    bool   // steps write on the connection itself, no status line or headers before them
}

// step is one thing done to the connection.
type step struct {
	wait    time.Duration
	write   []byte
	act     action
	content bool
}

// action is what a step does after it wrote.
type action int

const (
	proceed action = iota
	stall          // wait until the client leaves
	reset          // close the connection with RST
	drop           // close the connection without finishing the answer
	flood          // write the same again and again until the client leaves
)

// send returns the steps of the plan. Those of frames are made as they are sent: a long stream may not be read to its end.
func (p *plan) send() iter.Seq[step] {
	switch {
	case p.steps != nil:
		return slices.Values(p.steps)
	case p.frames == nil:
		return slices.Values([]step{{wait: p.delay, write: p.body}})
	}
	return func(yield func(step) bool) {
		for _, f := range p.frames {
			if !yield(p.frameStep(f)) {
				return
			}
		}
	}
}

func (p *plan) frameSteps(fs []frame) []step {
	steps := make([]step, len(fs))
	for i, f := range fs {
		steps[i] = p.frameStep(f)
	}
	return steps
}

func (p *plan) frameStep(f frame) step {
	s := step{write: f.bytes(), content: f.content()}
	if s.content {
		s.wait = p.delay
	}
	return s
}

// play sends a plan.
func (x *exchange) play(p *plan) {
	if p.frames != nil || p.header.Get("Content-Type") == "text/event-stream; charset=utf-8" {
		x.s.journal.addOpen(1)
		defer x.s.journal.addOpen(-1)
	}
	if !x.sleep(p.first) {
		return
	}
	if p.raw {
		x.playRaw(p)
		return
	}
	if p.status != 0 {
		for k, v := range p.header {
			x.w.Header()[k] = v
		}
		x.w.WriteHeader(p.status)
		x.s.journal.note(x.seen, func(e *Seen) { e.Status = p.status })
	}
	streaming := p.frames != nil || p.steps != nil
	spoken := false
	for s := range p.send() {
		if spoken && !x.pass() || !x.sleep(s.wait) {
			return
		}
		spoken = spoken || s.content
		if s.write != nil && !x.write(s.write, streaming) {
			return
		}
		if s.act != proceed {
			x.act(s)
			if p.status == 0 && x.r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // a return would be an answer, and a client that leaves may still hear it
			}
			return
		}
	}
	x.s.journal.note(x.seen, func(*Seen) { x.whole = true })
}

// sleep waits, and reports whether the client and the server are still there.
func (x *exchange) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-x.r.Context().Done():
	case <-x.s.closing:
	}
	return false
}

func (x *exchange) write(b []byte, flush bool) bool {
	n, err := x.w.Write(b)
	x.s.journal.note(x.seen, func(e *Seen) { e.Sent += int64(n) })
	if err == nil && flush {
		err = http.NewResponseController(x.w).Flush()
	}
	if err != nil {
		x.clientLeft()
	}
	return err == nil
}

// act ends an answer in an unusual way.
func (x *exchange) act(s step) {
	switch s.act {
	case stall:
		x.stall()
	case flood:
		more := x.patience()
		for ok := true; ok; {
			ok = more() && x.sleep(s.wait) && x.write(s.write, true)
		}
	case reset, drop:
		_ = http.NewResponseController(x.w).Flush()
		x.breakConn(s.act)
	case proceed:
	}
}

// patience returns a question: shall a flood go on?
func (x *exchange) patience() func() bool {
	begin := time.Now()
	return func() bool {
		select {
		case <-x.r.Context().Done():
			return false
		case <-x.s.closing:
			return false
		default:
			return x.fault == nil || x.fault.Hold <= 0 || time.Since(begin) < x.fault.Hold
		}
	}
}

// stall waits for the client to leave, at most as long as the fault says.
func (x *exchange) stall() {
	var hold <-chan time.Time
	if x.fault != nil && x.fault.Hold > 0 {
		t := time.NewTimer(x.fault.Hold)
		defer t.Stop()
		hold = t.C
	}
	select {
	case <-x.r.Context().Done():
	case <-x.s.closing:
	case <-hold:
	}
}

// breakConn closes the connection under the answer. HTTP/2 can only reset its stream.
func (x *exchange) breakConn(how action) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	closeConn(conn, how)
}

func closeConn(conn net.Conn, how action) {
	under := conn
	if t, ok := conn.(*tls.Conn); ok {
		under = t.NetConn() // no close_notify
	}
	if tcp, ok := under.(*net.TCPConn); ok && how == reset {
		_ = tcp.SetLinger(0)
	}
	_ = under.Close()
}

// playRaw writes on the connection itself.
func (x *exchange) playRaw(p *plan) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = conn.Close() }()
	finished := make(chan struct{})
	defer close(finished)
	x.s.running.Add(1)
	go func() { // ends a write or a read that waits when the server closes
		defer x.s.running.Done()
		select {
		case <-x.s.closing:
			_ = conn.Close()
		case <-finished:
		}
	}()
	for _, s := range p.steps {
		if !x.sleep(s.wait) {
			return
		}
		if s.act == flood {
			x.floodRaw(conn, s)
			return
		}
		n, err := conn.Write(s.write)
		x.s.journal.note(x.seen, func(e *Seen) { e.Sent += int64(n) })
		if err != nil {
			x.clientLeft()
			return
		}
		switch s.act {
		case reset, drop:
			closeConn(conn, s.act)
			return
		case stall:
			x.stall()
			return
		case proceed, flood:
		}
	}
}

func (x *exchange) floodRaw(conn net.Conn, s step) {
	block := bytes.Repeat(s.write, max(1, 4096/max(1, len(s.write))))
	if s.wait > 0 {
		block = s.write
	}
	for more := x.patience(); more() && x.sleep(s.wait); {
		n, err := conn.Write(block)
		x.s.journal.note(x.seen, func(e *Seen) { e.Sent += int64(n) })
		if err != nil {
			x.clientLeft()
			return
		}
	}
}
