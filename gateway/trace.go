package gateway

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/http"
)

// Trace is the place of a call in a distributed trace (https://www.w3.org/TR/trace-context/). It is
// zero where there is none.
type Trace struct {
	ID      [16]byte
	Parent  [8]byte // the client's span; zero if the call is where the trace begins
	Span    [8]byte // the call's own
	Sampled bool    // whether the trace is to be recorded
	State   string  // of the vendors of tracing, which is handed on as it is
}

// The headers of a trace.
const (
	headerTraceParent = "Traceparent"
	headerTraceState  = "Tracestate"
)

// maxTraceState bounds what is handed on.
const maxTraceState = 512

// traceOf is the trace that a request belongs to, or a new one, of which a share is sampled.
func traceOf(h http.Header, share float64) Trace {
	t, ok := parseTraceParent(h[headerTraceParent])
	if ok {
		if state := h[headerTraceState]; len(state) == 1 && len(state[0]) <= maxTraceState {
			t.State = state[0]
		}
	} else {
		_, _ = rand.Read(t.ID[:])                                                                   // never fails
		t.Sampled = share >= 1 || float64(binary.BigEndian.Uint64(t.ID[8:])) < share*math.MaxUint64 // by the id, as others would
		t.ID[0] |= 1                                                                                // never all zero
	}
	t.Span = newSpan()
	return t
}

func newSpan() (id [8]byte) {
	_, _ = rand.Read(id[:])
	id[0] |= 1
	return id
}

// parseTraceParent reads version 00 of the header, and the part of later ones that is the same.
func parseTraceParent(values []string) (t Trace, ok bool) {
	const size = len("00-00000000000000000000000000000000-0000000000000000-00")
	if len(values) != 1 || len(values[0]) < size {
		return Trace{}, false
	}
	v := values[0]
	var version, flags [1]byte
	isFirst, isNone := v[:2] == "00", v[:2] == "ff"
	hasMore := len(v) > size
	if v[2] != '-' || v[35] != '-' || v[52] != '-' || isNone || hasMore && (isFirst || v[size] != '-') ||
		!lowerHex(version[:], v[:2]) || !lowerHex(t.ID[:], v[3:35]) || !lowerHex(t.Parent[:], v[36:52]) || !lowerHex(flags[:], v[53:55]) ||
		t.ID == [16]byte{} || t.Parent == [8]byte{} {
		return Trace{}, false
	}
	t.Sampled = flags[0]&1 == 1
	return t, true
}

func lowerHex(dst []byte, text string) bool {
	for _, b := range []byte(text) {
		if 'A' <= b && b <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(text))
	return err == nil
}

// traceHeaders tells a provider whose config says so which trace the request belongs to: the
// attempt's own span where the gateway traces, else what the client said.
func (c *call) traceHeaders(a *attempt, h http.Header) {
	if !a.target.Provider.Traced {
		return
	}
	t := c.trace
	if t.ID == [16]byte{} {
		var ok bool
		if t, ok = parseTraceParent(c.r.Header[headerTraceParent]); !ok {
			return
		}
		a.span = t.Parent
	}
	flags := "-00"
	if t.Sampled {
		flags = "-01"
	}
	h[headerTraceParent] = []string{"00-" + hex.EncodeToString(t.ID[:]) + "-" + hex.EncodeToString(a.span[:]) + flags}
	if t.State != "" {
		h[headerTraceState] = []string{t.State}
	}
}
