package fakeprovider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultHeader is the request header that names a fault for that request alone: "reset" or, with
// Fault.After, "stall=3".
const FaultHeader = "X-Fault"

// Fault breaks one request or, set with SetFault, all of them.
type Fault struct {
	Kind  string        // one of Faults
	After int           // how far the answer gets first: content chunks, or bytes for the kinds that say so; 0 means the kind's own default
	Hold  time.Duration // how long a fault that waits does so at most; 0 means until the client leaves
}

// Outcome is what a gateway owes its client under a fault.
type Outcome string

// Outcomes.
const (
	Failover Outcome = "failover" // the client must not notice: another target answers
	Surface  Outcome = "surface"  // the client gets the error, no other target is tried
	Serve    Outcome = "serve"    // the answer is whole and must be delivered
	Rescue   Outcome = "rescue"   // the client has content already: another target goes on with it; without one, as Broken
	Broken   Outcome = "broken"   // the client has content already: the dialect's own error event, never a clean end
)

// Info describes a kind of fault.
type Info struct {
	Kind       string
	Rows       []string // rows of the project's table of faults that it stands for
	What       string
	Want       Outcome // with a healthy understudy
	Unary      bool    // strikes unary requests
	Stream     bool    // strikes streams
	Dialect    string  // Chat or Messages when it exists only there
	Slow       bool    // ends only with the client's patience or Fault.Hold
	ServerWide bool    // only SetFault can do it: it concerns the listener
}

// kind is a fault that can be done. apply changes the plan of a healthy answer.
type kind struct {
	Info
	early bool // strikes before the body is read
	tools bool // needs an answer with tool calls
	apply func(x *exchange, p *plan)
}

// fits reports whether the fault exists for this request.
func (k *kind) fits(x *exchange) bool {
	if !k.Exists(x.ask.Dialect) {
		return false
	}
	return x.ask.Stream && k.Stream || !x.ask.Stream && k.Unary
}

// lacking are the faults that a dialect has no form for.
func lacking(dialect string) []string {
	switch dialect {
	case Responses:
		// The last event repeats the whole answer and alone has the count.
		return []string{"usage-no-deltas", "usage-twice"}
	case Converse:
		// There is no model in an answer, and no other way to write its events; a refused prompt is no kind of its own.
		return []string{
			"spend-limit-400", "credit-400", "model-change", "model-differs", "usage-twice", "sse-for-json", "json-for-stream", "pings-only", "comments-only",
			"style-crlf", "style-cr", "style-bom", "style-comment", "style-comments", "style-multiline", "style-nospace", "style-fields",
			"style-trailing-space", "style-open-end",
		}
	case Generate:
		// A stream has no terminator and no way to be alive without saying something; a refused prompt is no error.
		return []string{"content-filter-400", "filtered", "done-twice", "after-done", "model-change", "model-differs", "usage-twice"}
	case CohereChat:
		// No money left is a status of its own, the model is not named, and the filter's stop is an error there.
		return []string{"spend-limit-400", "credit-400", "model-change", "usage-twice", "filtered", "filter-stream"}
	case OllamaChat:
		// Lines have no comments and no fields, and the server no filter and no money.
		return []string{
			"spend-limit-400", "credit-400", "usage-twice", "filtered", "filter-stream", "sse-for-json",
			"style-cr", "style-bom", "style-comment", "style-comments", "style-multiline", "style-nospace", "style-fields", "style-trailing-space",
		}
	}
	return nil
}

// Exists reports whether a dialect has a form for the fault.
func (i Info) Exists(dialect string) bool {
	return (i.Dialect == "" || i.Dialect == dialect) && !slices.Contains(lacking(dialect), i.Kind)
}

// kinds returns every fault, connection first, then statuses, bodies and streams. They are made
// once, because a server looks for the one of each request.
var kinds = sync.OnceValue(func() []kind {
	var all []kind
	all = append(all, connFaults()...)
	all = append(all, statusFaults()...)
	all = append(all, retryForms()...)
	all = append(all, bodyFaults()...)
	all = append(all, usageFaults()...)
	all = append(all, brokenStreams()...)
	all = append(all, errorStreams()...)
	return append(all, awkwardStreams()...)
})

// Faults lists every kind of fault, so that tests can range over them.
func Faults() []Info {
	var all []Info
	for _, k := range kinds() {
		all = append(all, k.Info)
	}
	return all
}

func findKind(name string) *kind {
	all := kinds()
	if i := slices.IndexFunc(all, func(k kind) bool { return k.Kind == name }); i >= 0 {
		return &all[i]
	}
	return nil
}

// SetFault makes every request fail this way until it is called again; nil mends the server. It
// panics on an unknown kind, and returns an error only when "refused" cannot listen again.
func (s *Server) SetFault(f *Fault) error {
	if f != nil {
		mustKind(f.Kind)
		c := *f
		f = &c
	}
	s.mu.Lock()
	s.fault = f
	s.mu.Unlock()
	if err := s.refuse(f != nil && f.Kind == refused); err != nil {
		return fmt.Errorf("set fault: %w", err)
	}
	return nil
}

// Queue makes the next requests fail, one fault each; an empty Kind lets one request pass. Queued
// faults come before the one of SetFault.
func (s *Server) Queue(faults ...Fault) {
	for _, f := range faults {
		if f.Kind != "" {
			mustKind(f.Kind)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, faults...)
}

func mustKind(name string) {
	if findKind(name) == nil {
		panic("BUG: no fault of kind " + strconv.Quote(name))
	}
}

// pick returns the fault of a request whose body is still unread: the header's, or a queued one, or
// the standing one where it strikes that early.
func (s *Server) pick(header string) *Fault {
	if header != "" {
		return parseFault(header)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 {
		f := s.queue[0]
		s.queue = s.queue[1:]
		return &f
	}
	if s.fault != nil {
		if k := findKind(s.fault.Kind); k != nil && k.early {
			return s.fault
		}
	}
	return nil
}

func (s *Server) standing() *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// parseFault reads "kind" or "kind=after".
func parseFault(text string) *Fault {
	name, after, _ := strings.Cut(text, "=")
	n, _ := strconv.Atoi(after)
	return &Fault{Kind: name, After: n}
}

// kind returns the kind of the exchange's fault, nil for none.
func (x *exchange) kind() *kind {
	if x.fault == nil || x.fault.Kind == "" {
		return nil
	}
	return findKind(x.fault.Kind)
}

// prepareFault shapes the answer so that the fault finds something to break.
func (x *exchange) prepareFault() {
	if k := x.kind(); k != nil && k.tools && x.ask.markers["tools"] == "" {
		x.ask.markers["tools"] = "2"
	}
}

// noteFault writes the fault into the journal.
func (x *exchange) noteFault() {
	x.s.journal.note(x.seen, func(e *Seen) { e.Fault = x.fault.Kind })
}

// after returns how far the answer shall get.
func (x *exchange) after(def int) int {
	if x.fault.After > 0 {
		return x.fault.After
	}
	return def
}
