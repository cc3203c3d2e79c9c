package drill

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/understudy-ai/understudy/transport"
)

// Fault is a way in which a provider can be made to seem broken. A key that is refused or
// has no credit is not among them: what the gateway does about that outlasts a drill.
type Fault struct {
	Name  string `json:"name"`
	What  string `json:"what"`
	Sends bool   `json:"sends" doc:"Whether the provider is asked, since its answer is used in part or late."`

	act action
	// Of an answer that is made up.
	status            int
	kind, body, retry string
}

// action is what a fault does.
type action uint8

const (
	refuse action = iota // no connection
	reset                // the connection breaks before there is an answer
	hang                 // no answer
	answer               // one that is made up
	stall                // the answer stops
	cut                  // the answer breaks off
	slow                 // the answer comes late
	drip                 // the answer comes slowly
)

const (
	jsonType = "application/json"
	// made is the error that made-up answers hold: in a form that every dialect reads, and
	// plain about whose it is.
	made = `{"type":"error","error":{"type":"drill","code":"drill","message":"The gateway's operator runs a drill. The vendor was not asked."}}`
)

// Faults lists the faults there are.
func Faults() []Fault {
	return []Fault{
		{Name: "refused", What: "no connection is taken", act: refuse},
		{Name: "reset", What: "the connection breaks before there is an answer", act: reset},
		{Name: "hang", What: "no answer, until the gateway's patience is over", act: hang},
		{Name: "rate-429", What: "429, ask again in a second", act: answer, status: 429, kind: jsonType, body: made, retry: "1"},
		{Name: "internal-500", What: "500, a server error", act: answer, status: 500, kind: jsonType, body: made},
		{Name: "bad-gateway-502", What: "502, with a page of HTML", act: answer, status: 502, kind: "text/html", body: "<html><body>502 Bad Gateway</body></html>"},
		{Name: "unavailable-503", What: "503, ask again in a second", act: answer, status: 503, kind: jsonType, body: made, retry: "1"},
		{Name: "overloaded-529", What: "529, overloaded", act: answer, status: 529, kind: jsonType, body: made},
		{Name: "invalid-json", What: "200, with an answer that is no JSON", act: answer, status: 200, kind: jsonType, body: `{"drill": [`},
		{Name: "stall", What: "the answer stops in its middle", act: stall, Sends: true},
		{Name: "cut", What: "the answer breaks off in its middle", act: cut, Sends: true},
		{Name: "slow", What: "the answer begins later, by the delay", act: slow, Sends: true},
		{Name: "drip", What: "each piece of a streamed answer comes later, by the delay", act: drip, Sends: true},
	}
}

func names() []string {
	var all []string
	for _, f := range Faults() {
		all = append(all, f.Name)
	}
	return all
}

func faultNamed(name string) (Fault, bool) {
	all := Faults()
	i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, false
	}
	return all[i], true
}

// response is the answer that the fault makes up.
func (f *Fault) response() *transport.Response {
	h := http.Header{"Content-Type": {f.kind}}
	if f.retry != "" {
		h.Set("Retry-After", f.retry)
	}
	return &transport.Response{Status: f.status, Header: h, Body: io.NopCloser(strings.NewReader(f.body)), Unsent: true}
}

// sendError is how a request fails that gets no answer. Whatever it looks like, it has not come
// farther than to the connection: the provider has had nothing that it could ask money for.
func sendError(err error) *transport.SendError {
	return &transport.SendError{Phase: transport.PhaseConnect, Err: err}
}

// cause is what the log says of the connection.
func (f *Fault) cause() error {
	if f.act == refuse {
		return syscall.ECONNREFUSED
	}
	return syscall.ECONNRESET
}
