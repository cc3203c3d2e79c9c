package demo

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestShowCountsFailures plays a script to applications that have no gateway: each fault must reach them, in its own
// row of the table.
func TestShowCountsFailures(t *testing.T) {
	t.Parallel()
	apps, vendors := direct(t)
	faults := slices.DeleteFunc(script(), func(f fault) bool {
		return !slices.Contains([]string{"reset", "auth-401", "invalid-json", "eof-start"}, f.kind)
	})
	s := &show{vendors: vendors, apps: apps, faults: faults, length: time.Second, tally: newTally(apps, faults), view: noView{}}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := s.tally.result(faults)
	for _, row := range r.Faults {
		if row.Requests < 2 || row.Failures != row.Requests || row.Lead != 0 || row.Understudy != 0 {
			t.Errorf("%s: got %+v, want at least 2 requests, all of them failures", row.Title, row)
		}
	}
	if row := r.NoFault; row.Requests < 4 || row.Failures != 0 || row.Lead != row.Requests {
		t.Errorf("no fault: got %+v, want at least 4 requests, all served by the lead", row)
	}
	if got := len(r.Problems); got != maxProblems {
		t.Errorf("got %d problems in words, want %d", got, maxProblems)
	}
}

func TestShowStopsWithItsContext(t *testing.T) {
	t.Parallel()
	apps, vendors := direct(t)
	faults := script()
	s := &show{vendors: vendors, apps: apps, faults: faults, length: time.Hour, tally: newTally(apps, faults), view: noView{}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
	}
	if r := s.tally.result(faults); r.Failures != 0 {
		t.Errorf("got failures %v, want none for requests that were cut by the end", r.Problems)
	}
}

func TestScript(t *testing.T) {
	faults := script()
	if got := len(faults); got < 12 || got > 20 {
		t.Errorf("got %d faults, want 12 to 20", got)
	}
	for _, f := range faults {
		if got := len(f.title); got == 0 || got > titleWidth {
			t.Errorf("%s: got a title of %d characters, want 1 to %d", f.kind, got, titleWidth)
		}
		if !f.unary && !f.stream {
			t.Errorf("%s: got a fault that strikes nothing", f.kind)
		}
	}
}

func TestQuantile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, tc := range []struct {
		of   []time.Duration
		q    float64
		want time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0.5, 7},
		{[]time.Duration{7}, 0.99, 7},
		{[]time.Duration{3, 1}, 0.5, 1},
		{[]time.Duration{3, 1, 2}, 0.5, 2},
		{[]time.Duration{3, 1, 2}, 0.99, 3},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
	} {
		if got := quantile(tc.of, tc.q); got != tc.want {
			t.Errorf("quantile %g of %v: got %d, want %d", tc.q, tc.of, got, tc.want)
		}
	}
}

func TestTable(t *testing.T) {
	r := Result{
		FirstToken: 400, Requests: 35, Failures: 1, Problems: []string{"OpenAI Chat: broke"},
		Faults: []Row{
			{Fault: "hang", Title: "hangs, no headers", Requests: 10, Understudy: 9, Failures: 1, AddedMedian: 401.6, AddedP99: 420.2},
			{Fault: "reset-stream", Title: "stream cut in the middle", Requests: 5, Rescued: 5, AddedMedian: 1, AddedP99: 2},
		},
		NoFault: Row{Title: "(no fault in the way)", Requests: 20, Lead: 20},
	}
	var out bytes.Buffer
	r.printTable(&out, palette{}, 80)
	want := `
                                          served by           client    added ms
fault of the lead          requests lead understudy rescued failures median  p99
hangs, no headers                10    0          9       0        1    402  420
stream cut in the middle          5    0          0       5        0      1    2
(no fault in the way)            20   20          0       0        0      0    0
all                              35   20          9       5        1

Added is how much later than usual an answer came: the first content of a
stream, the end of any other. A stream that hangs later pauses there, for the
400ms that the gateway waits.

15 of 35 requests met a broken lead in one of 2 ways;
failures seen by clients: 1, the first of them:
  OpenAI Chat: broke
`
	if got := out.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

var (
	styles = regexp.MustCompile("\x1b\\[[0-9;]*m")
	moves  = regexp.MustCompile("\x1b\\[[0-9?]*[A-Za-ln-z]")
)

// TestLivePicture draws for a second by a clock of its own: five pictures, one before them and a last one.
func TestLivePicture(t *testing.T) {
	apps, vendors := direct(t)
	faults := script()
	for _, tc := range []struct {
		name  string
		width int
		color bool
	}{{"wide", 120, true}, {"usual", 80, true}, {"narrow", 30, true}, {"absurd", 1, true}, {"plain", 80, false}} {
		t.Run(tc.name, inBubble(func(t *testing.T) {
			s := &show{vendors: vendors, apps: apps, faults: faults, length: 20 * time.Second, tally: newTally(apps, faults)}
			broken := newPhase(&faults[0], vendors[0], apps)
			s.tally.turn(broken)
			s.tally.add(broken, apps[0], answer{vendor: vendors[1].name, waited: 12 * time.Millisecond}, nil)
			s.tally.add(broken, apps[2], answer{}, errors.New("got\x1b[2J status 500, want 200"))
			var out bytes.Buffer
			l := startLive(&out, func() int { return tc.width }, palette{tc.color}, s)
			time.Sleep(time.Second + redrawEvery/2)
			l.stop()
			all := out.String()
			if got := strings.Count(all, "\x1b[J"); got != 7 {
				t.Errorf("got %d pictures, want 7", got)
			}
			if !strings.HasPrefix(all, "\x1b[?25l") || !strings.HasSuffix(all, "\x1b[?25h") {
				t.Errorf("got %q, want the cursor hidden first and shown last", all)
			}
			if got, want := styles.MatchString(all), tc.color && tc.width > 1; got != want {
				t.Errorf("got colours %t, want %t", got, want)
			}
			last := all[strings.LastIndex(all, "A\r")+2:]
			text := moves.ReplaceAllString(styles.ReplaceAllString(last, ""), "")
			rows := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			for _, row := range rows {
				if got := len([]rune(strings.TrimPrefix(row, "\r"))); got >= tc.width {
					t.Errorf("got a row of %d characters %q, want less than %d", got, row, tc.width)
				}
			}
			if tc.width < 80 {
				return
			}
			for _, want := range []string{
				"19 s left", "alpha broken: connection refused", "beta stood in, 12 ms", "1  got?[2J status 500", "Failures seen by clients    1  ",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("got %q, want %q in it", text, want)
				}
			}
		}))
	}
}

// inBubble is a test whose time passes as soon as all of it waits.
func inBubble(f func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}
