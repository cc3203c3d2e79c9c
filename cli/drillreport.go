package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
	"github.com/understudy-ai/understudy/config"
)

// describeDrill says in a line what a drill does.
func describeDrill(s client.DrillSpec) string {
	text := s.Provider + " has the fault " + s.Fault + " for " + percent(s.Share) + " of its calls"
	if s.Model != "" {
		text += " of " + s.Model
	}
	if s.Caller != "" {
		text += " by " + s.Caller
	}
	text += ", for " + config.FormatDuration(time.Duration(s.Seconds*float64(time.Second)))
	if s.AbortIf != "" {
		text += ", unless " + s.AbortIf
	}
	return text
}

// showDrill writes a report.
func (s *session) showDrill(r client.DrillReport, asJSON bool) error {
	if asJSON {
		return s.writeJSON(r)
	}
	state := string(r.State)
	if r.Why != "" {
		state += ": " + r.Why
	}
	if !r.Over.IsZero() {
		state += " after " + r.Over.Sub(r.Begun).Round(100*time.Millisecond).String()
	}
	w := s.table()
	fmt.Fprintf(w, "drill\t%s\n", r.ID)
	fmt.Fprintf(w, "what\t%s\n", describeDrill(r.Spec))
	fmt.Fprintf(w, "state\t%s\n", state)
	fmt.Fprintf(w, "struck\t%s\n", calls(r.Struck))
	fmt.Fprintf(w, "spared\t%s\n", calls(r.Spared))
	fmt.Fprintf(w, "client failures\t%d\n", r.ClientFailures)
	if r.Open > 0 {
		fmt.Fprintf(w, "still running\t%d\n", r.Open)
	}
	latency(w, r)
	cost(w, r)
	for i, m := range r.Moved {
		fmt.Fprintf(w, "%s\t%d × %s by %s from %s to %s\n", once(i, "moved"), m.Calls, m.Model, m.How, m.From, m.To)
	}
	for i, l := range r.Lost {
		fmt.Fprintf(w, "%s\t%d × %s\n", once(i, "lost"), l.Calls, l.Loss)
	}
	for i, c := range r.Stuck {
		fmt.Fprintf(w, "%s\t%d × %s (%s): %s\n", once(i, "could not move"), c.Calls, c.Model, c.Operation, c.Why)
	}
	return w.Flush()
}

// once is the title of a list beside its first row.
func once(i int, title string) string {
	if i > 0 {
		return ""
	}
	return title
}

// calls says what became of a group of calls.
func calls(g client.DrillGroup) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{g.Failovers, "failed over"}, {g.Rescues, "rescued"}, {g.Same, "answered by the provider itself"}, {g.Failed, "failed"}, {g.Gone, "left or erred themselves"},
	} {
		if p.n > 0 {
			parts = append(parts, strconv.Itoa(p.n)+" "+p.what)
		}
	}
	text := strconv.Itoa(g.Calls) + " calls"
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// latency compares how long struck calls took with the others.
func latency(w io.Writer, r client.DrillReport) {
	row := func(title string, struck, spared [2]float64, usual float64) {
		if struck[1] == 0 {
			return
		}
		fmt.Fprintf(w, "%s\tmedian %s, 99 %% %s", title, ms(struck[0]), ms(struck[1]))
		if spared[1] > 0 {
			fmt.Fprintf(w, "; of spared calls %s and %s", ms(spared[0]), ms(spared[1]))
		}
		if usual > 0 {
			fmt.Fprintf(w, "; before the drill %s on average", ms(usual))
		}
		fmt.Fprintln(w)
	}
	row("first content", [2]float64{r.Struck.FirstP50, r.Struck.FirstP99}, [2]float64{r.Spared.FirstP50, r.Spared.FirstP99}, r.UsualFirst)
	row("whole answer", [2]float64{r.Struck.WholeP50, r.Struck.WholeP99}, [2]float64{r.Spared.WholeP50, r.Spared.WholeP99}, r.UsualWhole)
}

func ms(f float64) string {
	const second = 1000
	if f >= second {
		return strconv.FormatFloat(f/second, 'g', 3, 64) + " s"
	}
	return strconv.FormatFloat(f, 'g', 3, 64) + " ms"
}

// cost compares what a struck call has cost with the others.
func cost(w io.Writer, r client.DrillReport) {
	if r.Struck.CostUSD == 0 {
		return
	}
	each := func(g client.DrillGroup) string {
		return "$" + strconv.FormatFloat(g.CostUSD/float64(g.Calls), 'f', 6, 64)
	}
	fmt.Fprintf(w, "cost\t%s a struck call", each(r.Struck))
	if r.Spared.CostUSD > 0 {
		fmt.Fprintf(w, ", %s a spared one", each(r.Spared))
	}
	if n := r.Struck.Unpriced + r.Spared.Unpriced; n > 0 {
		fmt.Fprintf(w, "; %d attempts at a cost that is not known", n)
	}
	fmt.Fprintln(w)
}
