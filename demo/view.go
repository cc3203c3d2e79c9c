package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// view shows a run while it lasts. begin and end are called around each fault; stop ends the view
// and must be called.
type view interface {
	begin(f *fault)
	end(f *fault)
	stop()
}

// noView shows nothing.
type noView struct{}

func (noView) begin(*fault) {}
func (noView) end(*fault)   {}
func (noView) stop()        {}

// lines tells of each fault in two lines, for files and pipes.
type lines struct {
	out   io.Writer
	tally *tally
}

func (l *lines) begin(f *fault) { l.say("begins", f, "") }

func (l *lines) end(f *fault) {
	r := l.tally.row(f)
	l.say("is over", f, fmt.Sprintf(": %d requests, %d served by the lead, %d by the understudy, %d rescued, %d client failures",
		r.Requests, r.Lead, r.Understudy, r.Rescued, r.Failures))
}

func (l *lines) say(what string, f *fault, counts string) {
	fmt.Fprintf(l.out, "%5.1f s  %s %s%s\n", time.Since(l.tally.start).Seconds(), f.title, what, counts)
}

func (*lines) stop() {}

// redrawEvery makes five pictures a second.
const redrawEvery = 200 * time.Millisecond

// live redraws a picture of the run in place.
type live struct {
	out     io.Writer
	columns func() int
	palette palette
	show    *show
	drawn   int // lines of the last picture

	stopped chan struct{}
	drawing sync.WaitGroup
}

// startLive draws until stop is called.
func startLive(out io.Writer, columns func() int, p palette, s *show) *live {
	l := &live{out: out, columns: columns, palette: p, show: s, stopped: make(chan struct{})}
	fmt.Fprint(out, "\x1b[?25l") // hide the cursor
	l.drawing.Go(func() {
		ticker := time.NewTicker(redrawEvery)
		defer ticker.Stop()
		for {
			l.draw()
			select {
			case <-ticker.C:
			case <-l.stopped:
				l.draw()
				return
			}
		}
	})
	return l
}

func (*live) begin(*fault) {}
func (*live) end(*fault)   {}

// stop draws the last picture and gives the cursor back.
func (l *live) stop() {
	close(l.stopped)
	l.drawing.Wait()
	fmt.Fprint(l.out, "\x1b[?25h")
}

// draw replaces the last picture in one write, so that it does not flicker.
func (l *live) draw() {
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	picture := l.picture(l.show.tally.now())
	width := l.columns()
	for _, row := range picture {
		b.WriteString("\r" + row.render(width, l.palette) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J") // what a picture with more lines, or a narrower window, left behind
	l.drawn = len(picture)
	_, _ = io.WriteString(l.out, b.String())
}

// span is text in one style, row a line of spans.
type (
	span struct{ style, text string }
	row  []span
)

// render cuts a row to the terminal's width, since a line that wraps cannot be redrawn in place.
func (r row) render(width int, p palette) string {
	var b strings.Builder
	left := width - 1
	for _, s := range r {
		text := []rune(s.text)
		if len(text) > left {
			text = text[:max(left, 0)]
		}
		left -= len(text)
		b.WriteString(p.paint(s.style, string(text)))
	}
	return b.String()
}

// picture is the run as it stands.
func (l *live) picture(m moment) []row {
	s := l.show
	left := max(s.length-m.elapsed, 0).Round(time.Second)
	rows := []row{
		{{bold, "Understudy demo"}, {faint, fmt.Sprintf("   %d s left", int(left.Seconds()))}},
		{},
		{{"", "Now         "}, {nowStyle(m.phase), m.phase.String()}},
		{},
		{{faint, fmt.Sprintf("%-6s%36s", "Vendor", "answers/s")}},
	}
	for _, v := range s.vendors {
		rows = append(rows, l.vendorRow(v, m))
	}
	rows = append(rows, row{}, row{{faint, fmt.Sprintf("%-30s%-10s%8s%8s  %s", "Application", "model", "answers", "failed", "last")}})
	for _, a := range s.apps {
		rows = append(rows, appRow(a, m.apps[a]))
	}
	style := bold + ";" + reverse + ";" + green
	if m.failures > 0 {
		style = bold + ";" + reverse + ";" + red
	}
	return append(rows, row{}, row{{bold, "Failures seen by clients  "}, {style, fmt.Sprintf("  %d  ", m.failures)}}, row{})
}

func nowStyle(p *phase) string {
	if p.fault == nil {
		return green
	}
	return bold + ";" + red
}

// vendorRow is a vendor with its traffic as a bar.
func (l *live) vendorRow(v *vendor, m moment) row {
	const length = 30
	most := 1.0
	for _, rate := range m.rates {
		most = max(most, rate)
	}
	broken := m.phase.broken == v
	style, state := cyan, ""
	if broken {
		style, state = amber, "  broken"
	}
	cells := int(m.rates[v.name] / most * length)
	return row{
		{"", fmt.Sprintf("%-6s", v.name)},
		{style, strings.Repeat("█", cells)},
		{faint, strings.Repeat("░", length-cells)},
		{"", fmt.Sprintf(" %5.0f", m.rates[v.name])},
		{bold + ";" + red, fmt.Sprintf("%-8s", state)},
		{faint, "  speaks " + v.apiName},
	}
}

// appRow is an application with its last answer.
func appRow(a *clientApp, seen lastSeen) row {
	r := row{{"", fmt.Sprintf("%-30s%-10s%8d%8d  ", a.title, a.model, seen.answers, seen.failures)}}
	switch {
	case seen.problem != "":
		return append(r, span{red, oneLine(seen.problem)})
	case seen.answers == 0:
		return append(r, span{faint, "none yet"})
	case seen.last.rescued:
		return append(r, span{amber, fmt.Sprintf("%s was rescued, %d ms", seen.last.vendor, seen.last.waited.Milliseconds())})
	case seen.last.vendor == a.lead:
		return append(r, span{"", fmt.Sprintf("%s, %d ms", seen.last.vendor, seen.last.waited.Milliseconds())})
	}
	return append(r, span{amber, fmt.Sprintf("%s stood in, %d ms", seen.last.vendor, seen.last.waited.Milliseconds())})
}

// oneLine keeps what a vendor said from moving the cursor, and to characters of one column.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
