package drill

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vendor is a provider that always answers the same.
type vendor struct {
	kind   string // media type
	answer string
	asked  atomic.Int64
	closed atomic.Int64
}

func (v *vendor) Send(context.Context, transport.Request) (*transport.Response, error) {
	v.asked.Add(1)
	return &transport.Response{
		Status: 200, Header: http.Header{"Content-Type": {v.kind}, "Content-Length": {strconv.Itoa(len(v.answer))}},
		Body: &closing{strings.NewReader(v.answer), v},
	}, nil
}

func (v *vendor) Upgrade(context.Context, transport.Request, []string) (*websocket.Conn, *transport.Response, error) {
	v.asked.Add(1)
	return nil, &transport.Response{Status: 101}, nil
}

type closing struct {
	io.Reader
	v *vendor
}

func (c *closing) Close() error {
	c.v.closed.Add(1)
	return nil
}

// memory is a data folder.
type memory struct {
	mu   sync.Mutex
	text map[string][]byte
}

func (m *memory) Read(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if content, ok := m.text[name]; ok {
		return content, nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Write(name string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text[name] = content
	return nil
}

func (m *memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.text, name)
	return nil
}

func (m *memory) Names(prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.text)), func(name string) bool { return !strings.HasPrefix(name, prefix) }), nil
}

var (
	acme  = &provider.Provider{ID: "acme", Facts: provider.Facts{Models: []provider.Model{{ID: "listed"}}}}
	other = &provider.Provider{ID: "other"}
)

// newDrills are drills in front of v, of a gateway that serves the model assistant from acme and then other, and solo from acme alone.
func newDrills(t *testing.T, v *vendor) (*Drills, *memory) {
	t.Helper()
	files := &memory{text: map[string][]byte{}}
	pick := func(model string) (route.Route, bool) {
		lead, understudy := route.Target{Provider: acme, Model: "large"}, route.Target{Provider: other, Model: "big"}
		switch model {
		case "assistant":
			return route.Route{Model: model, Targets: []route.Target{lead, understudy}}, true
		case "solo":
			return route.Route{Model: model, Targets: []route.Target{lead}}, true
		case "elsewhere":
			return route.Route{Model: model, Targets: []route.Target{understudy}}, true
		case "acme/unlisted":
			return route.Route{Model: model, IsDirect: true, Targets: []route.Target{{Provider: acme, Model: "unlisted"}}}, true
		}
		return route.Route{}, false
	}
	d := New(Options{
		Sender: v, Files: files, Log: slog.New(slog.DiscardHandler), Now: time.Now, Pick: pick,
		Routes: func() []route.Route {
			var all []route.Route
			for _, name := range []string{"assistant", "solo", "elsewhere"} {
				r, _ := pick(name)
				all = append(all, r)
			}
			return all
		},
		IsCaller:  func(name string) bool { return name == "ann" || name == "bob" },
		Providers: func() []*provider.Provider { return []*provider.Provider{acme, other} },
		Usual:     func(string) (first, whole time.Duration) { return 5 * time.Millisecond, 50 * time.Millisecond },
		Price:     func(a *Attempt) (float64, bool) { return float64(a.Usage.Output()), a.Target == "other/big" },
	})
	t.Cleanup(d.Close)
	return d, files
}

func start(t *testing.T, d *Drills, id string, s Spec) {
	t.Helper()
	if s.Provider == "" {
		s.Provider = "acme"
	}
	if s.Seconds == 0 {
		s.Seconds = 60
	}
	if _, err := d.Start(id, s); err != nil {
		t.Fatal(err)
	}
}

func ask(call string) transport.Request {
	return transport.Request{Provider: acme, For: transport.Purpose{Call: call, Caller: "ann", Asked: "assistant", Model: "large"}}
}

// over says that a call is over: by the understudy, or with an error.
func over(d *Drills, call string, code llm.Code) {
	now := time.Now()
	c := &Call{ID: call, Caller: "ann", Model: "assistant", Operation: "generate", Code: code, Start: now, Duration: 20 * time.Millisecond}
	c.Attempts = []Attempt{{Target: "acme/large", Start: now, Code: llm.CodeUnreachable}}
	if code == "" {
		c.Attempts = append(c.Attempts, Attempt{
			Target: "other/big", Start: now, FirstContent: 10 * time.Millisecond, Committed: true, Status: 200, Usage: llm.Usage{Known: true, OutVisible: 3},
			Losses: []llm.Loss{{Feature: "seed", Action: llm.ActionDropped, Severity: llm.Tuning}},
		})
	}
	d.Observe(c)
}

func TestReport(t *testing.T) {
	d, files := newDrills(t, &vendor{})
	start(t, d, "one", Spec{Fault: "reset", Share: 1})
	for _, call := range []string{"a", "b", "c"} {
		_, _ = d.Send(t.Context(), ask(call))
	}
	over(d, "a", "")
	over(d, "b", "")
	over(d, "c", llm.CodeUnreachable)
	over(d, "spared", "")
	over(d, "gone", llm.CodeClientGone)
	d.Observe(&Call{ID: "x", Model: "elsewhere", Start: time.Now()}) // no concern of the drill's
	d.Observe(&Call{ID: "y", Model: "assistant", Start: time.Now().Add(-time.Hour)})
	r, err := d.Stop(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if r.ClientFailures != 1 || r.Struck.Calls != 3 || r.Struck.Failovers != 2 || r.Struck.Failed != 1 || r.Struck.Lossy != 2 || r.Struck.CostUSD != 6 {
		t.Errorf("got %+v struck, want 3: 2 failed over with a loss for $6, 1 failed", r.Struck)
	}
	if r.Spared.Calls != 2 || r.Spared.Failovers != 1 || r.Spared.Gone != 1 || r.Spared.Failed != 0 {
		t.Errorf("got %+v spared, want 2: 1 answered by the understudy, 1 gone", r.Spared)
	}
	if g := r.Struck; g.FirstP50 < 10 || g.FirstP50 > 10.6 || g.WholeP99 < 20 || g.WholeP99 > 21.1 {
		t.Errorf("got latencies %+v, want about 10 and 20 ms", g)
	}
	if r.UsualFirst != 5 || r.UsualWhole != 50 {
		t.Errorf("got %v and %v ms as usual, want 5 and 50", r.UsualFirst, r.UsualWhole)
	}
	if want := []Move{{"assistant", "acme/large", "other/big", "failover", 2}}; !slices.Equal(r.Moved, want) {
		t.Errorf("got %v moved, want %v", r.Moved, want)
	}
	if want := []Lost{{"seed=dropped(tuning)", 2}}; !slices.Equal(r.Lost, want) {
		t.Errorf("got %v lost, want %v", r.Lost, want)
	}
	if len(r.Stuck) != 1 || r.Stuck[0].Calls != 1 || !strings.Contains(r.Stuck[0].Why, "no other target") {
		t.Errorf("got %v stuck, want one call", r.Stuck)
	}
	kept, err := New(Options{Files: files}).Get("one")
	if err != nil || kept.Struck != r.Struck || kept.State != Stopped {
		t.Errorf("got %+v kept and error %v, want the report", kept, err)
	}
}

func TestReasons(t *testing.T) {
	d, _ := newDrills(t, &vendor{})
	start(t, d, "one", Spec{Fault: "reset"})
	r := d.current.Load()
	failed := Attempt{Target: "acme/large", Code: llm.CodeUnreachable}
	for want, c := range map[string]*Call{
		"it has no understudy":                                   {Model: "solo", Attempts: []Attempt{failed}},
		"other/big failed: rate_limit":                           {Model: "assistant", Attempts: []Attempt{failed, {Target: "other/big", Code: llm.CodeRateLimit}}},
		"other/big could not take it: unsupported of logit_bias": {Model: "assistant", Attempts: []Attempt{failed}, Refused: []Refusal{{"other/big", "logit_bias", llm.CodeUnsupported}}},
		"its answer had begun and is not plain text, or no other target could go on with it": {
			Model: "assistant", Attempts: []Attempt{{Target: "acme/large", Code: llm.CodeTruncated, Committed: true}},
		},
	} {
		if got := r.reason(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRuleEndsIt(t *testing.T) {
	d, _ := newDrills(t, &vendor{})
	start(t, d, "one", Spec{Fault: "reset", AbortIf: "failovers > 100 or client_failures >= 50%"})
	for _, call := range []string{"a", "b", "c"} {
		_, _ = d.Send(t.Context(), ask(call))
	}
	over(d, "a", "")
	over(d, "b", "")
	if d.current.Load().over.Err() != nil {
		t.Fatal("got the end of the drill before its rule was met")
	}
	over(d, "spared", llm.CodeUnreachable) // counts as well
	if d.current.Load().over.Err() == nil {
		t.Error("got a drill that goes on, want it ended at 1 of 2")
	}
	over(d, "c", "")
	if r, _ := d.Stop(t.Context(), "one"); r.State != Aborted || r.Why != "its rule was met: client_failures >= 50%" {
		t.Errorf("got %s: %s, want it aborted by its second condition", r.State, r.Why)
	}
}

func TestItEndsByItself(t *testing.T) {
	t.Parallel()
	d, _ := newDrills(t, &vendor{})
	start(t, d, "one", Spec{Fault: "reset", Seconds: 0.05})
	for d.IsWatching() {
		time.Sleep(time.Millisecond)
	}
	if r, err := d.Get("one"); err != nil || r.State != Ended || r.Over.Sub(r.Begun) > 5*time.Second {
		t.Errorf("got %+v and error %v, want it ended in time", r, err)
	}
}

func TestStartAgain(t *testing.T) {
	d, files := newDrills(t, &vendor{})
	spec := Spec{Provider: "acme", Fault: "reset", Seconds: 60}
	start(t, d, "one", spec)
	if r, err := d.Start("one", spec); err != nil || r.State != Running {
		t.Errorf("the same again: got %+v and error %v, want the drill that there is", r, err)
	}
	wantCode := func(name string, code llm.Code, id string, s Spec) {
		t.Helper()
		var e *llm.Error
		if _, err := d.Start(id, s); !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: got error %v, want %s", name, err, code)
		}
	}
	changed := spec
	changed.Fault = "stall"
	wantCode("another of the same id", llm.CodeConflict, "one", changed)
	wantCode("another at the same time", llm.CodeConflict, "two", spec)
	wantCode("a path", llm.CodeInvalidRequest, "../two", spec)
	wantCode("no id", llm.CodeInvalidRequest, "", spec)
	if _, err := d.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Start("one", spec); err != nil || r.State != Stopped {
		t.Errorf("the same after its end: got %+v and error %v, want it not started anew", r, err)
	}
	// What a crash leaves behind.
	files.text[fileName("zero")] = []byte(`{"id":"zero","state":"running"}`)
	if r, err := d.Get("zero"); err != nil || r.State != Interrupted {
		t.Errorf("got %+v and error %v, want it interrupted", r, err)
	}
	for i := range maxReports + 10 {
		files.text[fileName(fmt.Sprintf("a%04d", i))] = []byte(`{}`)
	}
	start(t, d, "two", spec)
	if ids, err := d.IDs(); err != nil || len(ids) != maxReports || ids[0] != "zero" || slices.Contains(ids, "a0000") {
		t.Errorf("got %d drills and error %v, want the oldest forgotten", len(ids), err)
	}
	d.Close()
	wantCode("after the end", llm.CodeUnavailable, "three", spec)
}

// TestWhatIsNotThere: a drill that could strike nothing would look like one that all went well in.
func TestWhatIsNotThere(t *testing.T) {
	for _, c := range []struct {
		spec  Spec
		param string // at fault; none if empty
	}{
		{Spec{Model: "assistant"}, ""},
		{Spec{Model: "large"}, ""},
		{Spec{Model: "listed"}, ""},
		{Spec{Model: "acme/unlisted"}, ""},
		{Spec{Caller: "ann"}, ""},
		{Spec{Model: "asistant"}, "model"},
		{Spec{Model: "elsewhere"}, "model"},
		{Spec{Model: "big"}, "model"},
		{Spec{Model: "unlisted"}, "model"},
		{Spec{Caller: "anne"}, "caller"},
		{Spec{Provider: "akme"}, "provider"},
	} {
		d, _ := newDrills(t, &vendor{})
		c.spec.Provider, c.spec.Fault, c.spec.Seconds = cmp.Or(c.spec.Provider, "acme"), "reset", 60
		_, err := d.Start("one", c.spec)
		var e *llm.Error
		if is := errors.As(err, &e); is != (c.param != "") || is && (e.Code != llm.CodeInvalidRequest || e.Param != c.param) {
			t.Errorf("%+v: got error %v, want one of %q", c.spec, err, c.param)
		}
		d.Close()
	}
}

// TestOfOneCaller: others meet what a drill of one caller's calls does to targets, and are counted.
func TestOfOneCaller(t *testing.T) {
	d, _ := newDrills(t, &vendor{})
	start(t, d, "one", Spec{Fault: "reset", Caller: "ann", AbortIf: "client_failures > 0"})
	_, _ = d.Send(t.Context(), ask("a"))
	over(d, "a", "")
	d.Observe(&Call{ID: "b", Caller: "bob", Model: "assistant", Start: time.Now(), Attempts: []Attempt{{Target: "other/big"}}})
	if r, err := d.Get("one"); err != nil || r.State != Running || r.Struck.Calls != 1 || r.Spared.Calls != 1 {
		t.Errorf("got %+v and error %v, want one call struck and another's spared", r, err)
	}
	d.Observe(&Call{ID: "c", Caller: "bob", Model: "assistant", Start: time.Now(), Code: llm.CodeOverloaded})
	if r, err := d.Stop(t.Context(), "one"); err != nil || r.State != Aborted || r.ClientFailures != 1 {
		t.Errorf("got %+v and error %v, want the drill ended by another's failure", r, err)
	}
}

// TestEndOfTheGateway: the calls that were struck end while the gateway lets running ones finish, and are reported.
func TestEndOfTheGateway(t *testing.T) {
	d, files := newDrills(t, &vendor{})
	start(t, d, "one", Spec{Fault: "hang"})
	let := make(chan error, 2)
	for _, call := range []string{"a", "b"} {
		go func() {
			_, err := d.Send(t.Context(), ask(call))
			let <- err
		}()
	}
	for {
		if r, err := d.Get("one"); err != nil || r.Open == 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	d.End()
	for range 2 {
		if err := <-let; err == nil {
			t.Error("got an answer to a call that hung")
		}
	}
	if resp, err := d.Send(t.Context(), ask("c")); err != nil || resp.Status != 200 {
		t.Errorf("got %+v and error %v, want nothing struck any more", resp, err)
	}
	over(d, "a", "")
	d.Close() // b never ends
	var r Report
	if err := json.Unmarshal(files.text[fileName("one")], &r); err != nil || r.State != Stopped || r.Why != "the gateway stopped" || r.Struck.Calls != 1 || r.Struck.Failovers != 1 {
		t.Errorf("got %+v and error %v, want the call that was over in it", r, err)
	}
}

func TestRules(t *testing.T) {
	r := &Report{ClientFailures: 2, Struck: Group{Calls: 40, Failovers: 38, WholeP99: 1200, CostUSD: 0.25}}
	for text, want := range map[string]bool{
		"":                                false,
		"client_failures > 0":             true,
		"client_failures > 2":             false,
		"client_failures >= 5%":           true,
		"client_failures > 5%":            false,
		"calls == 40":                     true,
		"calls != 40":                     false,
		"p99_ms > 1000":                   true,
		"p99_ms < 1000 or cost_usd > 0.2": true,
		"rescues > 0 or calls <= 39":      false,
	} {
		all, err := parseRule(text)
		if err != nil {
			t.Errorf("%s: got error %v", text, err)
			continue
		}
		if met, got := all.met(r); got != want {
			t.Errorf("%s: got %v %t, want %t", text, met, got, want)
		}
	}
	for _, text := range []string{
		"client_failures", "client_failures >", "failures > 0", "calls > many", "calls ~ 1", "calls > 1 and rescues > 1", "calls > 1 rescues > 1",
		"p99_ms > 5%", "calls > -1", "calls > 1 or", "calls > 1e300", "calls>1", "calls > NaN", "calls > Inf",
	} {
		if _, err := parseRule(text); err == nil {
			t.Errorf("%s: got no error, want one", text)
		}
	}
	if all, _ := parseRule("calls == 0%"); len(all) != 1 {
		t.Error("got no rule")
	} else if _, met := all.met(&Report{}); met {
		t.Error("got a share of no calls")
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	if got := l.quantile(0.99); got != 0 {
		t.Errorf("got %v of none, want 0", got)
	}
	for i := range 1000 {
		l.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 500, 0.99: 990, 1: 1000} {
		if got := l.quantile(q); got < want*0.995 || got > want*1.05 {
			t.Errorf("quantile %v: got %v, want %v within 5 %%", q, got, want)
		}
	}
	l.add(-1)
	l.add(1000 * time.Hour)
	if len(l.classes) > 400 {
		t.Errorf("got %d classes, want them bounded", len(l.classes))
	}
}
