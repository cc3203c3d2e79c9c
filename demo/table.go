package demo

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// Result is what the applications saw in a run.
type Result struct {
	Seconds    float64  `json:"seconds"`
	FirstToken float64  `json:"first_token_ms"` // how long the gateway waited for a vendor
	Requests   int      `json:"requests"`
	Failures   int      `json:"failures"`
	Faults     []Row    `json:"faults"`   // in the order of the script
	Operator   []Row    `json:"operator"` // requests while the operator drilled a vendor, and evacuated it
	Planned    *Planned `json:"planned,omitempty"`
	NoFault    Row      `json:"no_fault"` // requests that no fault could strike
	Problems   []string `json:"problems"` // the first failures in words; empty without any
	Ledger     Books    `json:"ledger"`
}

// Row is the requests that met one fault.
type Row struct {
	Fault      string `json:"fault"` // its kind; empty for none
	Title      string `json:"title"` // in words
	Requests   int    `json:"requests"`
	Lead       int    `json:"lead"`       // answered by the model's lead
	Understudy int    `json:"understudy"` // answered by its understudy
	Rescued    int    `json:"rescued"`    // begun by the lead and gone on with by the understudy
	Failures   int    `json:"failures"`   // seen by a client
	// AddedMedian and AddedP99 are how many milliseconds longer than usual the answers took, against
	// the median of the same application's requests that met no fault: to the first content of a
	// stream, to the end of an answer that is not streamed. They are 0 without answers.
	AddedMedian float64 `json:"added_median_ms"`
	AddedP99    float64 `json:"added_p99_ms"`
}

const legend = `
Added is how much later than usual an answer came: the first content of a stream, the end of any other. A stream that hangs later pauses there, for the %v that the gateway waits.

%s
`

// printTable writes the result as a table by fault, and what it shows in words.
func (r *Result) printTable(w io.Writer, p palette, width int) {
	fmt.Fprintf(w, "\n%-*s %8s %15s %7s %8s %11s\n", titleWidth, "", "", "served by", "", "client", "added ms")
	fmt.Fprintf(w, "%-*s %8s %4s %10s %7s %8s %6s %4s\n",
		titleWidth, "fault of the lead", "requests", "lead", "understudy", "rescued", "failures", "median", "p99")
	for _, row := range slices.Concat(r.Faults, r.Operator) {
		row.write(w, p)
	}
	r.NoFault.write(w, p)
	all := Row{Title: "all", Requests: r.Requests, Lead: r.NoFault.Lead, Understudy: r.NoFault.Understudy, Rescued: r.NoFault.Rescued, Failures: r.Failures}
	for _, row := range slices.Concat(r.Faults, r.Operator) {
		all.Lead += row.Lead
		all.Understudy += row.Understudy
		all.Rescued += row.Rescued
	}
	fmt.Fprintf(w, "%-*s %8d %4d %10d %7d %s\n", titleWidth, all.Title, all.Requests, all.Lead, all.Understudy, all.Rescued, p.failures(all.Failures, 8))
	fmt.Fprint(w, wrap(fmt.Sprintf(legend, time.Duration(r.FirstToken*float64(time.Millisecond)), r.verdict()), width))
	for _, problem := range r.Problems {
		fmt.Fprintln(w, "  "+problem)
	}
	if r.Planned != nil {
		fmt.Fprint(w, wrap("\n"+r.Planned.String()+"\n", width))
	}
}

func (r *Row) write(w io.Writer, p palette) {
	fmt.Fprintf(w, "%-*s %8d %4d %10d %7d %s %6d %4d\n",
		titleWidth, r.Title, r.Requests, r.Lead, r.Understudy, r.Rescued, p.failures(r.Failures, 8),
		whole(r.AddedMedian), whole(r.AddedP99))
}

// whole rounds to an integer, which has no minus before a zero.
func whole(ms float64) int { return int(math.Round(ms)) }

// verdict is the result in a sentence.
func (r *Result) verdict() string {
	struck := r.Requests - r.NoFault.Requests
	for _, row := range r.Operator {
		struck -= row.Requests
	}
	met := strconv.Itoa(struck) + " of " + strconv.Itoa(r.Requests) + " requests met a broken lead in one of " + strconv.Itoa(len(r.Faults)) + " ways"
	if r.Failures == 0 {
		return met + "; every client got a whole and correct answer, and none saw a failure."
	}
	return met + ";\nfailures seen by clients: " + strconv.Itoa(r.Failures) + ", the first of them:"
}
