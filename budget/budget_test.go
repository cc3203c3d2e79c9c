package budget

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

func TestMoney(t *testing.T) {
	for text, want := range map[string]Money{
		"0.00": 0, "1.00": USD, "0.0000000075": 7500, "-12.34": -12340 * USD / 1000, "9223372.036854775807": math.MaxInt64, "0.000000000001": 1,
	} {
		if got := want.String(); got != text {
			t.Errorf("%d: got %s, want %s", want, got, text)
		}
		if text == "9223372.036854775807" {
			continue // more than an invoice may have
		}
		if got, err := ParseMoney(text); got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "-", "1e9", "NaN", "1,000.00", "0x10", "99999999", "1.0000000000001", "1.2.3", "+Inf", " 1"} {
		if got, err := ParseMoney(text); err == nil {
			t.Errorf("%q: got %v, want it refused", text, got)
		}
	}
	if _, err := Money(math.MaxInt64).Plus(1); !errors.Is(err, ErrRange) {
		t.Errorf("a sum that does not fit: got %v, want %v", err, ErrRange)
	}
	if _, err := Money(math.MinInt64).Plus(-1); !errors.Is(err, ErrRange) {
		t.Errorf("a sum that does not fit: got %v, want %v", err, ErrRange)
	}
}

func TestCost(t *testing.T) {
	price := &provider.Price{
		Input: 3, Output: 15, CacheRead: 0.30, CacheWrite: 3.75, CacheWrite1h: 6, Reasoning: 20, AudioInput: 40, AudioOutput: 80,
		Tiers: []provider.Tier{{Above: 200_000, Input: 6, Output: 22.5}},
	}
	for _, tc := range []struct {
		name string
		p    *provider.Price
		t    Tokens
		want string
	}{
		{"nothing", price, Tokens{}, "0.00"},
		{"both ways", price, Tokens{Fresh: 1000, Output: 100}, "0.0045"},
		{"a cached token", &provider.Price{CacheRead: 0.0075}, Tokens{CacheRead: 1}, "0.0000000075"},
		{"caches", price, Tokens{CacheRead: 1000, CacheWrite: 1000, Cache1h: 1000}, "0.01005"},
		{"reasoning", price, Tokens{Output: 10, Reasoning: 1000}, "0.02015"},
		{"reasoning without a price of its own", &provider.Price{Output: 8}, Tokens{Reasoning: 1000}, "0.008"},
		{"sound", price, Tokens{Fresh: 1000, AudioIn: 900, Output: 100, AudioOut: 100}, "0.0443"},
		{"at the tier", price, Tokens{Fresh: 200_000}, "0.60"},
		{"above the tier, all of it", price, Tokens{Fresh: 150_000, CacheRead: 50_001, Output: 1000}, "0.9375003"},
		{"rounded up once", &provider.Price{Input: 0.0000000000015}, Tokens{Fresh: 1}, "0.000000000001"},
		{"free", &provider.Price{}, Tokens{Fresh: 1e6, Output: 1e6}, "0.00"},
		{"not known", nil, Tokens{Fresh: 1e6}, "10.00"},
	} {
		r := RatesOf(tc.p)
		got, err := r.Cost(tc.t)
		if err != nil || got.String() != tc.want {
			t.Errorf("%s: got %v, %v, want %s", tc.name, got, err, tc.want)
		}
		pinned, err := ParseRates(r.Text())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := pinned.Cost(tc.t); again != got || err != nil {
			t.Errorf("%s, at the pinned rates: got %v, %v, want %v", tc.name, again, err, got)
		}
	}
}

// TestRatesAtATier prices what is served at a tier: by the model's own price for it, by its service's, or, where nobody knows
// one, by a guess that is marked; and never as cheaper above a step than the step is.
func TestRatesAtATier(t *testing.T) {
	f := &provider.Facts{ServiceTiers: map[string]float64{"flex": 0.5, "slow": 0.1}}
	p := &provider.Price{
		Input: 2, Output: 10, CacheRead: 0.2, CacheWrite: 3, Reasoning: 12, AudioInput: 30,
		Tiers: []provider.Tier{{Above: 1000, Input: 5, Output: 15, CacheRead: 0.9}},
		ServiceTiers: []provider.ServiceTier{
			{Name: "priority", Input: 4, Output: 20, CacheRead: 0.4}, {Name: "slow", Times: 0.25},
		},
	}
	all := Tokens{Fresh: 100, CacheRead: 100, CacheWrite: 100, Cache1h: 100, Output: 100, Reasoning: 100}
	long := Tokens{Fresh: 1001, Output: 100}
	for _, tc := range []struct {
		name    string
		p       *provider.Price
		tier    string
		t       Tokens
		want    string
		guessed bool
	}{
		{"the usual one", p, "", all, "0.00302", false},
		{"of the service", p, "flex", all, "0.00151", false},
		{"of the service, above the step", p, "flex", long, "0.0032525", false},
		{"of the model, which goes first", p, "slow", all, "0.000755", false},
		// What it does not say of the cache and of thinking costs what other tokens do.
		{"of the model", p, "priority", all, "0.00524", false},
		{"of the model, above a step that is dearer", p, "priority", long, "0.007005", false},
		{"of the model, a cached prompt above the step", p, "priority", Tokens{CacheRead: 1001}, "0.0009009", false},
		{"by its other name", p, "fast", all, "0.00524", false},
		{"not known, and cheap", p, "scale", all, "0.00302", true},
		{"not known", p, "ultrafast", all, "0.00755", true},
		{"not known, above the step", p, provider.TierOther, long, "0.0162625", true},
		{"free", &provider.Price{ServiceTiers: p.ServiceTiers}, "priority", all, "0.00", false},
		{"of no price at all", nil, "priority", Tokens{Fresh: 1e6}, "10.00", false},
	} {
		r := RatesAt(f, tc.p, tc.tier)
		got, err := r.Cost(tc.t)
		if err != nil || got.String() != tc.want || r.Guessed != tc.guessed || r.ServiceTier != tc.tier {
			t.Errorf("%s: got %v, %v, tier %q, guessed %v, want %s, %q and %v", tc.name, got, err, r.ServiceTier, r.Guessed, tc.want, tc.tier, tc.guessed)
		}
		pinned, err := ParseRates(r.Text())
		if again, costErr := pinned.Cost(tc.t); err != nil || costErr != nil || again != got || pinned.Text() != r.Text() {
			t.Errorf("%s, at the pinned rates: got %v, %v, %v and %s, want %v and %s", tc.name, again, err, costErr, pinned.Text(), got, r.Text())
		}
	}
	if before := RatesOf(p); before.Text() != `{"input":2000000000000,"output":10000000000000,"cache_read":200000000000,"cache_write":3000000000000,`+
		`"reasoning":12000000000000,"audio_in":30000000000000,"tiers":[{"above":1000,"input":5000000000000,"output":15000000000000,"cache_read":900000000000}]}` {
		t.Errorf("got %s of a usual price, want the text that ledgers have of it", before.Text())
	}
	if dear := RatesAt(&provider.Facts{ServiceTiers: map[string]float64{"x": 100}}, &provider.Price{Input: 1e6, Output: 1}, "x"); dear.Input != 1e18 {
		t.Errorf("got an input of %d, want no more than the dearest there is", dear.Input)
	}
}

// TestNoPrice gives prices and counts that are none: they are never cheap, never negative and never wrap (S84).
// TestWhatIsNotBilled: a vendor's own words in a prompt are counted by it and not paid for.
func TestWhatIsNotBilled(t *testing.T) {
	for _, tc := range []struct {
		usage llm.Usage
		want  Tokens
	}{
		{llm.Usage{InFresh: 100, OutVisible: 30, InFree: 60, OutFree: 10}, Tokens{Fresh: 40, Output: 20}},
		{llm.Usage{InFresh: 4, InCacheRead: 16, InFree: 18, OutVisible: 3}, Tokens{Fresh: 2, Output: 3}},
		{llm.Usage{InFresh: 4, InCacheRead: 16, InFree: 10}, Tokens{Fresh: 4, CacheRead: 6}},
	} {
		if got := TokensOf(tc.usage); got != tc.want {
			t.Errorf("%+v: got %+v want %+v", tc.usage, got, tc.want)
		}
	}
}

func TestNoPrice(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, math.MaxFloat64} {
		r := RatesOf(&provider.Price{Input: f})
		if got, err := r.Cost(Tokens{Fresh: 1}); err != nil || got < 1e12 {
			t.Errorf("a price of %v: got %v, %v, want the dearest there is", f, got, err)
		}
	}
	r := Cap()
	for _, tokens := range []Tokens{{Fresh: -1}, {Output: math.MaxInt64}, {Reasoning: MaxTokens + 1}, {AudioIn: 1}, {CacheRead: math.MinInt64}} {
		if got, err := r.Cost(tokens); err == nil {
			t.Errorf("%+v: got %v, want it refused", tokens, got)
		}
	}
	dear := Rates{Input: 1e18, Output: 1e18}
	if got, err := dear.Cost(Tokens{Fresh: MaxTokens, Output: MaxTokens}); !errors.Is(err, ErrRange) {
		t.Errorf("more than an amount can hold: got %v, %v, want %v", got, err, ErrRange)
	}
}

// TestCostGrows checks that more tokens never cost less, and that no entry is more than a pico-dollar above the exact price.
func TestCostGrows(t *testing.T) {
	count := rapid.Int64Range(0, 1e7)
	rapid.Check(t, func(r *rapid.T) {
		rates := Rates{Input: rapid.Int64Range(0, 1e14).Draw(r, "input"), Output: rapid.Int64Range(0, 1e14).Draw(r, "output")}
		a := Tokens{Fresh: count.Draw(r, "fresh"), Output: count.Draw(r, "out")}
		b := Tokens{Fresh: a.Fresh + count.Draw(r, "more"), Output: a.Output}
		less, err1 := rates.Cost(a)
		more, err2 := rates.Cost(b)
		if err1 != nil || err2 != nil || less > more {
			r.Fatalf("%+v: got %v (%v) for %+v and %v (%v) for %+v, want more to cost no less", rates, less, err1, a, more, err2, b)
		}
	})
}

// What an attempt is closed as, whatever the vendor says that it used (S104, I7, S82).
func TestOutcome(t *testing.T) {
	known := llm.Usage{Known: true, InFresh: 90, OutVisible: 45}
	for _, tc := range []struct {
		name string
		r    Result
		want Outcome
	}{
		{"never sent", Result{Code: llm.CodeUnreachable}, Outcome{Kind: Void}},
		{"whole", Result{Sent: true, Status: 200, Whole: true, Usage: known}, Outcome{Kind: Posted, Tokens: Tokens{Fresh: 90, Output: 45}}},
		{"whole, no usage", Result{Sent: true, Status: 200, Whole: true}, Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{
			"negative usage",
			Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, InFresh: -5, OutVisible: 9}},
			Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}, Rejected: true},
		},
		{
			"absurd usage",
			Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, InFresh: 1e18, OutVisible: 9}},
			Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}, Rejected: true},
		},
		{
			"usage of nothing, with text",
			Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, InFresh: 90}},
			Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}, Rejected: true},
		},
		{
			"usage of an answer, to no prompt",
			Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, OutVisible: 45}},
			Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}, Rejected: true},
		},
		{
			"usage of an answer, the prompt not told",
			Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, InUntold: true, OutVisible: 45}},
			Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 45}},
		},
		{
			"absurd usage of an answer, the prompt not told",
			Result{Sent: true, Status: 200, Whole: true, Usage: llm.Usage{Known: true, InUntold: true, OutVisible: 1e18}},
			Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}, Rejected: true},
		},
		{"no answer", Result{Sent: true, Code: llm.CodeTimeout}, Outcome{Kind: Uncertain, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{"refused", Result{Sent: true, Status: 429, Code: llm.CodeRateLimit}, Outcome{Kind: Void}},
		{"failed", Result{Sent: true, Status: 500, Code: llm.CodeServerError}, Outcome{Kind: Void}},
		{"bad gateway", Result{Sent: true, Status: 502, Code: llm.CodeServerError}, Outcome{Kind: Uncertain, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{"no content", Result{Sent: true, Status: 204, Code: llm.CodeBadAnswer}, Outcome{Kind: Uncertain, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{"not JSON", Result{Sent: true, Status: 200, Code: llm.CodeBadAnswer}, Outcome{Kind: Uncertain, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{"error in a success", Result{Sent: true, Status: 200, Code: llm.CodeOverloaded}, Outcome{Kind: Void}},
		{"stream hangs", Result{Sent: true, Status: 200, Streamed: true, Code: llm.CodeTimeout}, Outcome{Kind: Uncertain, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{"stream cut", Result{Sent: true, Status: 200, Streamed: true, Begun: true, Code: llm.CodeTruncated}, Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{"client left", Result{Sent: true, Status: 200, Streamed: true, Begun: true, Code: llm.CodeClientGone}, Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 100, Output: 50}}},
		{
			"stream cut, prompt told",
			Result{Sent: true, Status: 200, Streamed: true, Begun: true, Code: llm.CodeTruncated, Usage: llm.Usage{Known: true, InFresh: 70, InCacheRead: 20, OutVisible: 1}},
			Outcome{Kind: Estimated, Tokens: Tokens{Fresh: 70, CacheRead: 20, Output: 50}},
		},
	} {
		if tc.r.Sent {
			tc.r.Input, tc.r.Output = 100, 50
		}
		if got := tc.r.Outcome(); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// TestPeriods knows a window by its beginning, so that none begins twice, whatever the clock does (I11).
// TestAccounts takes every name that a key's user, team or organisation may have.
func TestAccounts(t *testing.T) {
	for _, good := range []string{"team:search", "team:the search team", "organisation:Acme, Inc. & sons/eu", "user:a:b", "key:anonymous"} {
		if err := CheckAccount(good); err != nil {
			t.Errorf("%q: got %v, want it taken", good, err)
		}
	}
	for _, bad := range []string{"", "team", "team:", "team: search", "team:search ", "team: ", "teams:search", "team:a\nb", "team:é", "team:" + strings.Repeat("a", 200)} {
		if CheckAccount(bad) == nil {
			t.Errorf("%q: got it taken, want it refused", bad)
		}
	}
}

func TestPeriods(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		p               Period
		t, from, before string
	}{
		{Day, "2028-02-29T23:59:59Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
		{Day, "2026-03-29T01:30:00+02:00", "2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z"},
		{Week, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
		{Week, "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"},
		{Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{Month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		from, before := tc.p.Window(at(tc.t))
		if !from.Equal(at(tc.from)) || !before.Equal(at(tc.before)) {
			t.Errorf("%s of %s: got %v to %v, want %s to %s", tc.p, tc.t, from, before, tc.from, tc.before)
		}
	}
	if Ever.Start(time.Now()) != 0 {
		t.Errorf("ever: got a beginning, want none")
	}
}

// TestRecords writes lines and entries and reads them again; what is cut short is an error and never a panic.
func TestRecords(t *testing.T) {
	l := NewLine(Line{Provider: "acme", Model: "m", Asked: "assistant", Operation: "generate", Caller: "anonymous", Tag: "nightly", Rates: RatesOf(&provider.Price{Input: 3, Tiers: []provider.Tier{{Above: 9, Input: 4}}})})
	text := l.Append(nil)
	if got, err := ParseLine(text); err != nil || got.ID() != l.ID() || !reflect.DeepEqual(got.Rates, l.Rates) {
		t.Errorf("got %+v, %v, want %+v", got, err, l)
	}
	e := Entry{
		Attempt: 1 << 50, Call: "call_x", Ordinal: 2, Line: l.ID(), Reserved: 99, At: 1e12, Took: 5, Kind: Estimated, Flags: Wasted | Rescue, Amount: 7,
		Tokens: Tokens{1, 2, 3, 4, 5, 6, 1, 2}, Status: 529, Code: llm.CodeOverloaded, Windows: []Key{{"key", Day, 86400}, {"org", Ever, 0}},
	}
	record := e.Append(nil)
	if got, err := ParseEntry(record); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v, %v, want %+v", got, err, e)
	}
	for n := range record {
		if _, err := ParseEntry(record[:n]); err == nil {
			t.Errorf("%d of %d bytes: got no error, want one", n, len(record))
		}
	}
	// A line without a key is what it was before there were any.
	if owned := (Line{Provider: "acme", Key: "web"}); NewLine(owned).ID() == NewLine(Line{Provider: "acme", User: "web"}).ID() {
		t.Error("got one id for two owners, want two")
	} else if got, err := ParseLine(NewLine(owned).Append(nil)); err != nil || got.Key != "web" || got.ID() != NewLine(owned).ID() {
		t.Errorf("with a key: got %+v, %v, want %+v", got, err, owned)
	}
	if got := NewLine(Line{Provider: "acme", Model: "m", Caller: "anonymous"}).ID(); got != 4959113005751946714 {
		t.Errorf("got the id %d, want the one that ledgers have for it", got)
	}
	for n := range text {
		if _, err := ParseLine(text[:n]); err == nil {
			t.Errorf("%d of %d bytes of a line: got no error, want one", n, len(text))
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	e := Entry{Attempt: 1, Windows: []Key{{"key", Day, 86400}}}
	f.Add(e.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		again, err := ParseEntry(e.Append(nil))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("got %+v, %v, want %+v", again, err, e)
		}
	})
}

// TestReport sums up by columns, and keeps what has no price apart.
func TestReport(t *testing.T) {
	priced := NewLine(Line{Provider: "acme", Model: "m", Tag: "a", Rates: Rates{Input: 1}})
	unpriced := NewLine(Line{Provider: "acme", Model: "n", Rates: Cap()})
	totals := []Total{
		{Day: 20000, Line: priced, Kind: Posted, Attempts: 3, Amount: 5, Input: 7, Output: 8},
		{Day: 20001, Line: priced, Kind: Uncertain, Flags: Wasted, Attempts: 1, Amount: 2},
		{Day: 20001, Line: unpriced, Kind: Estimated, Attempts: 1, Amount: 100},
	}
	got, err := ReportBy(totals, []Column{ByProvider})
	want := &Usage{Names: []string{"acme"}, Attempts: 5, Input: 7, Output: 8, Cost: 7, Uncertain: 2, Wasted: 2, Unpriced: 100}
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("by provider: got %+v, %v, want %+v", got, err, want)
	}
	if got, err := ReportBy(totals, []Column{ByDay, ByModel}); err != nil || len(got) != 3 || got[0].Names[0] != "2024-10-04" {
		t.Errorf("by day and model: got %+v, %v, want three rows from 2024-10-04 on", got, err)
	}
	if _, err := ReportBy(totals, []Column{"colour"}); err == nil {
		t.Error("by what there is not: got no error, want one")
	}
	for _, c := range Columns() { // however it is told apart, it is the same in all (I8)
		rows, err := ReportBy(totals, []Column{c})
		sum := Usage{}
		for _, u := range rows {
			sum.Attempts, sum.Cost, sum.Unpriced = sum.Attempts+u.Attempts, sum.Cost+u.Cost, sum.Unpriced+u.Unpriced
		}
		if err != nil || sum.Attempts != 5 || sum.Cost != 7 || sum.Unpriced != 100 {
			t.Errorf("by %s: got %+v, %v in all, want 5 attempts, 7 and 100", c, sum, err)
		}
	}
	diff, err := Reconcile(totals, "acme", []Charge{{Day: 20000, Model: "m", Cost: 6}, {Day: 20002, Model: "m", Cost: 1}})
	wantDiff := []Difference{{20000, "m", 6, 5, 5}, {20001, "m", 0, 2, 0}, {20001, "n", 0, 100, 0}, {20002, "m", 1, 0, 0}}
	if err != nil || !reflect.DeepEqual(diff, wantDiff) {
		t.Errorf("reconcile: got %+v, %v, want %+v", diff, err, wantDiff)
	}
	if diff, err := Reconcile(nil, "acme", []Charge{{Model: "m", Cost: 9e6 * USD}, {Model: "m", Cost: 9e6 * USD}}); !errors.Is(err, ErrRange) {
		t.Errorf("more than an amount can hold: got %+v, %v, want %v", diff, err, ErrRange)
	}
}
