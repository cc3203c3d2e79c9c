package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Those that are parallel wait for most of their time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic("BUG: " + err.Error())
	}
	goleak.VerifyTestMain(m)
}

// TestRun is the demo itself, as short as it can be asked for. It does not run beside other tests, which would make it
// take the machine for a slow one.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	r, err := Run(t.Context(), Options{Duration: MinDuration, Out: &out})
	if err != nil {
		t.Fatalf("got error %v, want none; output:\n%s", err, out.String())
	}
	if r.Failures != 0 || len(r.Problems) != 0 {
		t.Errorf("got %d failures %v, want none", r.Failures, r.Problems)
	}
	var got, want []string
	for _, row := range r.Faults {
		got = append(got, row.Fault)
		if row.Requests < 2 || row.Understudy+row.Rescued != row.Requests {
			t.Errorf("%s: got %+v, want at least 2 requests, all served by the understudy", row.Title, row)
		}
		// One that goes on failing is left alone, so that not every answer had to be rescued.
		if slices.ContainsFunc(script(), func(f fault) bool { return f.kind == row.Fault && f.rescued }) && row.Rescued == 0 {
			t.Errorf("%s: got %+v, want some rescued", row.Title, row)
		}
	}
	for _, f := range script() {
		want = append(want, f.kind)
		if n := strings.Count(out.String(), f.title); n != 3 {
			t.Errorf("%s: got %d lines, want one for its begin, one for its end and a row in the table; output:\n%s", f.title, n, out.String())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got rows %v, want %v", got, want)
	}
	for _, row := range r.Faults {
		if slices.Contains([]string{"hang", "pings-only"}, row.Fault) && row.AddedP99 < r.FirstToken/2 {
			t.Errorf("%s: got at most %g ms added, want about %g", row.Title, row.AddedP99, r.FirstToken)
		}
	}
	if len(r.Operator) != 2 || r.Operator[0].Fault != "drill" || r.Operator[1].Fault != "evacuation" || r.Operator[1].Understudy == 0 {
		t.Errorf("got %+v, want a drill and an evacuation", r.Operator)
	}
	if p := r.Planned; p == nil || p.There != 0 || p.Failures != 0 || p.Struck != p.Failovers+p.Rescues {
		t.Errorf("got %+v, want every struck call gone on with, and nothing at the evacuated vendor", p)
	}
	if r.NoFault.Lead == 0 {
		t.Errorf("got no request served by a healthy lead: %+v", r.NoFault)
	}
}

// TestRunWithoutUnderstudies shows that the demo can fail: nothing stands in, so the clients see the faults.
func TestRunWithoutUnderstudies(t *testing.T) {
	t.Parallel()
	faults := slices.DeleteFunc(script(), func(f fault) bool {
		return !slices.Contains([]string{"refused", "overloaded-529", "eof-start", "reset-stream"}, f.kind)
	})
	var out bytes.Buffer
	r, err := run(t.Context(), Options{Duration: 2 * time.Second, Out: &out}, faults, false)
	if err == nil || !strings.Contains(err.Error(), "failures") {
		t.Errorf("got error %v, want one that says that clients saw failures", err)
	}
	for _, row := range r.Faults {
		if row.Requests == 0 || row.Failures != row.Requests {
			t.Errorf("%s: got %+v, want every request to fail", row.Title, row)
		}
	}
	if r.NoFault.Failures != 0 {
		t.Errorf("no fault: got %+v, want no failure", r.NoFault)
	}
	if want := "failures seen by clients: "; !strings.Contains(out.String(), want) {
		t.Errorf("got %s, want %q in it", out.String(), want)
	}
}

func TestRunJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	want, err := run(t.Context(), Options{Duration: time.Second, JSON: true, Out: &out}, script()[:2], true)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	var got Result
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Requests != want.Requests || len(got.Faults) != 2 || got.Faults[1] != want.Faults[1] || got.FirstToken < 400 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if d.More() {
		t.Error("got more after the document, want nothing")
	}
}

func TestRunTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if _, err := run(t.Context(), Options{Duration: time.Second, Terminal: true, Out: &out}, script()[:1], true); err != nil {
		t.Fatal(err)
	}
	all := out.String()
	begin, end := strings.Index(all, "\x1b[?25l"), strings.LastIndex(all, "\x1b[?25h")
	// How many there are in a second, TestLivePicture counts: a machine that pauses draws fewer.
	if n := strings.Count(all, "Failures seen by clients"); begin < 0 || end < begin || n < 2 {
		t.Errorf("got %d pictures, cursor hidden at %d and shown at %d, want the first and the last in between", n, begin, end)
	}
	if strings.Contains(all[end+1:], "\x1b[") {
		t.Errorf("got %q after the picture, want plain text", all[end:])
	}
}

func TestRunRefusesOptions(t *testing.T) {
	for _, o := range []Options{{Duration: time.Second}, {Duration: -1}, {Duration: 2 * MaxDuration}, {JSON: true, Keep: true}} {
		o.Out = &bytes.Buffer{}
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v: got no error, want one", o)
		}
	}
}

// page is a writer whose text can be read meanwhile.
type page struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// TestKeep pastes every curl command that --keep prints, in order, into a shell.
func TestKeep(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skipf("curl is not installed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out page
	done := make(chan error, 1)
	go func() {
		_, err := run(ctx, Options{Duration: time.Second, Keep: true, Out: &out}, script()[:1], true)
		done <- err
	}()
	for !strings.Contains(out.String(), " --plan\n") {
		select {
		case err := <-done:
			t.Fatalf("got the end of the demo and error %v, want it to stay up; output:\n%s", err, out.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	all := out.String()
	lead, understudy := says("alpha", "Hello"), says("beta", "Hello")
	commands := curls(all)
	wants := [][]string{
		{lead, `"object":"chat.completion"`},
		{`"content":"alpha. "`, "data: [DONE]"},
		{understudy, `"type":"message"`},
		{`"text":"beta. "`, "event: message_stop"},
		{"alpha is broken: overloaded-529"},
		{"alpha is healthy"},
		{"refused\n", "pings-only\n"},
	}
	if len(commands) != len(wants) {
		t.Fatalf("got %d curl commands in\n%s\nwant %d", len(commands), all, len(wants))
	}
	check := func(command string, wants ...string) {
		t.Helper()
		got, err := exec.CommandContext(ctx, "sh", "-c", command+" --silent --show-error --fail --noproxy '*'").CombinedOutput()
		for _, want := range wants {
			if err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%s\ngot %s and error %v, want %q in it", command, got, err, want)
			}
		}
	}
	for i, command := range commands {
		check(command, wants[i]...)
		if i == 4 { // alpha is broken now: beta answers OpenAI's API
			check(commands[0], understudy, `"object":"chat.completion"`)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("got error %v after the end, want none", err)
	}
}

// curls returns the curl commands in a text; a backslash continues a line.
func curls(text string) []string {
	var found []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		if strings.HasPrefix(line, "curl ") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
