package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found.
type report struct {
	Date        string       `json:"date"`
	Machine     string       `json:"machine"`
	Connections int          `json:"connections"`
	Rounds      int          `json:"rounds"`
	Rate        float64      `json:"rate,omitzero"` // of whole answers per second for CPU; 0 if the connections are kept busy
	CPU         []cpuRow     `json:"cpu_us_per_request"`
	Latency     []latencyRow `json:"latency_us"`
	Streams     []streamsRow `json:"open_streams"`
	Process     processRow   `json:"process"`
}

// spread is the median of some figures and how far they lie apart.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

type cpuRow struct {
	Scenario   string  `json:"scenario"`
	Requests   int     `json:"requests"`
	Proxy      spread  `json:"proxy"`
	Durable    spread  `json:"durable_proxy,omitzero"`
	Understudy spread  `json:"understudy"`
	Ratio      spread  `json:"ratio"` // to the bare proxy
	ToDurable  spread  `json:"ratio_to_durable_proxy,omitzero"`
	Goal       float64 `json:"goal"` // for both ratios
}

type latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

type latencyRow struct {
	Scenario   string  `json:"scenario"`
	Until      string  `json:"until"`
	Goal       float64 `json:"goal"` // for the p99 added to the vendor's
	Rate       float64 `json:"rate"`
	Samples    int     `json:"samples"`
	Direct     latency `json:"direct"`
	Proxy      latency `json:"proxy"`
	Durable    latency `json:"durable_proxy,omitzero"`
	Understudy latency `json:"understudy"`
}

// commit is what waiting for the disk adds to a proxy's latency.
func (r *latencyRow) commit() latency {
	if r.Durable == (latency{}) {
		return latency{}
	}
	return latency{max(0, r.Durable.P50-r.Proxy.P50), max(0, r.Durable.P99-r.Proxy.P99)}
}

// added is what understudy adds to the vendor's latency, beside the commit.
func (r *latencyRow) added() latency {
	c := r.commit()
	return latency{r.Understudy.P50 - r.Direct.P50 - c.P50, r.Understudy.P99 - r.Direct.P99 - c.P99}
}

type streamsRow struct {
	Scenario      string  `json:"scenario"`
	Open          int     `json:"open"`
	ProxyKiB      float64 `json:"proxy_kib"`
	UnderstudyKiB float64 `json:"understudy_kib"`
}

type processRow struct {
	ColdStartMS spread  `json:"cold_start_ms"`
	IdleMiB     spread  `json:"idle_mib"`
	BinaryMiB   float64 `json:"binary_mib"`
}

// Goals besides those of the scenarios.
const (
	goalAddedP99    = 1000.0   // µs
	goalFailoverP99 = 50_000.0 // µs, the failed attempt included
	goalStream      = 64.0     // KiB
	goalColdStart   = 300.0    // ms
	goalIdle        = 40.0     // MiB
	goalBinary      = 45.0     // MiB
)

func newReport(o options) *report {
	return &report{
		Date:    time.Now().UTC().Format(time.DateOnly),
		Machine: fmt.Sprintf("%d CPUs%s, %s/%s, %s", runtime.NumCPU(), cpuModel(), runtime.GOOS, runtime.GOARCH, runtime.Version()),
		Rounds:  o.rounds, Connections: o.connections,
	}
}

// cpuModel is the processor's name where the system tells.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(string(text), "model name\t: ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "\n")
	return " (" + name + ")"
}

func spreadOf(figures []float64) spread {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1]}
}

// latencyOf takes the time to a stream's first content or to the end of a whole
// answer, in µs.
func latencyOf(took []timing, stream bool) latency {
	us := make([]float64, len(took))
	for i, t := range took {
		d := t.whole
		if stream {
			d = t.first
		}
		us[i] = float64(d) / float64(time.Microsecond)
	}
	slices.Sort(us)
	return latency{P50: us[len(us)/2], P99: us[min(len(us)-1, len(us)*99/100)]}
}

// load is what CPU was measured under.
func (r *report) load() string {
	if r.Rate == 0 {
		return fmt.Sprintf("%d connections kept busy", r.Connections)
	}
	return fmt.Sprintf("%d connections, %.0f whole answers a second or kept busy with streams", r.Connections, r.Rate)
}

// print writes the report as tables.
func (r *report) print(out io.Writer) error {
	fmt.Fprintf(out, "%s, %s\n", r.Date, r.Machine)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nCPU per request in µs, %s: median of %d rounds (least–most)\n", r.load(), r.Rounds)
	fmt.Fprintln(w, "scenario\tbare proxy\tdurable proxy\tunderstudy\tgoal\tto bare\t\tto durable\t")
	for _, row := range r.CPU {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t≤ %.1f\t%s\t%s\t%s\t%s\n", row.Scenario, row.Proxy.text("%.0f"), row.Durable.text("%.0f"),
			row.Understudy.text("%.0f"), row.Goal, row.Ratio.text("%.2f"), verdict(row.Ratio.Median, row.Goal),
			row.ToDurable.text("%.2f"), verdict(row.ToDurable.Median, row.Goal))
	}
	if len(r.Latency) > 0 {
		fmt.Fprintln(w, "\nLatency in µs: p50 / p99; commit is the durable proxy beside the bare one, added is understudy beside the vendor and the commit")
		fmt.Fprintln(w, "scenario\tuntil\trequests/s\tvendor alone\tbare proxy\tdurable proxy\tunderstudy\tcommit\tadded\tgoal for p99\t")
	}
	for _, row := range r.Latency {
		added := row.added()
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t≤ %.0f\t%s\n", row.Scenario, row.Until, row.Rate, row.Direct.text(),
			row.Proxy.text(), row.Durable.text(), row.Understudy.text(), row.commit().text(), added.text(), row.Goal, verdict(added.P99, row.Goal))
	}
	if len(r.Streams) > 0 {
		fmt.Fprintf(w, "\nMemory per open stream in KiB, %d open\n", r.Streams[0].Open)
		fmt.Fprintln(w, "scenario\tbare proxy\tunderstudy\tgoal\t")
		for _, row := range r.Streams {
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t≤ %.0f\t%s\n", row.Scenario, row.ProxyKiB, row.UnderstudyKiB, goalStream, verdict(row.UnderstudyKiB, goalStream))
		}
	}
	p := r.Process
	fmt.Fprintln(w, "\nProcess\tunderstudy\tgoal\t")
	if p.ColdStartMS.Median > 0 {
		fmt.Fprintf(w, "start to first answer, ms\t%s\t≤ %.0f\t%s\n", p.ColdStartMS.text("%.0f"), goalColdStart, verdict(p.ColdStartMS.Median, goalColdStart))
		fmt.Fprintf(w, "idle memory, MiB\t%s\t≤ %.0f\t%s\n", p.IdleMiB.text("%.1f"), goalIdle, verdict(p.IdleMiB.Median, goalIdle))
	}
	fmt.Fprintf(w, "binary, MiB\t%.1f\t≤ %.0f\t%s\n", p.BinaryMiB, goalBinary, verdict(p.BinaryMiB, goalBinary))
	return w.Flush()
}

func (s spread) text(format string) string {
	if s == (spread{}) {
		return "–"
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.Median, s.Min, s.Max)
}

func (l latency) text() string {
	if l == (latency{}) {
		return "–"
	}
	return fmt.Sprintf("%.0f / %.0f", l.P50, l.P99)
}

// verdict is empty where there is no figure.
func verdict(got, goal float64) string {
	switch {
	case got == 0:
		return ""
	case got <= goal:
		return "met"
	default:
		return "missed"
	}
}
