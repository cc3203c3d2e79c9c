package budget

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// Tokens is what an attempt used, as it is priced. The parts are told apart as in llm.Usage;
// none is ever less than zero.
type Tokens struct {
	Fresh, CacheRead, CacheWrite, Cache1h int64
	Output, Reasoning                     int64
	AudioIn, AudioOut                     int64 // of Fresh and of Output
}

// TokensOf takes the counts of a vendor as they are, less what it does not bill: of a prompt that is words of its own,
// which its cache has first.
func TokensOf(u llm.Usage) Tokens {
	cached := min(u.InFree, u.InCacheRead)
	return Tokens{
		Fresh: u.InFresh - (u.InFree - cached), CacheRead: u.InCacheRead - cached, CacheWrite: u.InCacheWrite, Cache1h: u.InCache1h,
		Output: u.OutVisible - u.OutFree, Reasoning: u.OutReasoning, AudioIn: u.InAudio, AudioOut: u.OutAudio,
	}
}

// Input is all of the prompt.
func (t Tokens) Input() int64 { return t.Fresh + t.CacheRead + t.CacheWrite + t.Cache1h }

// All is all of the answer.
func (t Tokens) All() int64 { return t.Output + t.Reasoning }

// list is the counts one by one.
func (t Tokens) list() [8]int64 {
	return [8]int64{t.Fresh, t.CacheRead, t.CacheWrite, t.Cache1h, t.Output, t.Reasoning, t.AudioIn, t.AudioOut}
}

// MaxTokens is more than any one request uses of anything: no model's window is near it.
const MaxTokens = 1 << 30

// isSane reports whether counts can be true at all.
func (t Tokens) isSane() bool {
	for _, n := range t.list() {
		if n < 0 || n > MaxTokens {
			return false
		}
	}
	return t.AudioIn <= t.Fresh && t.AudioOut <= t.Output
}

// Rates are a model's prices in pico-dollars per million tokens: what a catalog's price becomes
// so that money is never a float. The zero Rates are those of what is free.
type Rates struct {
	Input        int64  `json:"input,omitempty"`
	Output       int64  `json:"output,omitempty"`
	CacheRead    int64  `json:"cache_read,omitempty"`
	CacheWrite   int64  `json:"cache_write,omitempty"`
	CacheWrite1h int64  `json:"cache_write_1h,omitempty"`
	Reasoning    int64  `json:"reasoning,omitempty"`
	AudioIn      int64  `json:"audio_in,omitempty"`
	AudioOut     int64  `json:"audio_out,omitempty"`
	Tiers        []Tier `json:"tiers,omitempty"`
	// Assumed marks the rates that stand in for a price that nobody knows.
	Assumed bool `json:"assumed,omitempty"`
	// ServiceTier is the tier of the vendor's service that the rates are for; empty for the usual one. Guessed says that
	// nobody knows what it costs, and that the rates are made from the usual ones.
	ServiceTier string `json:"service_tier,omitempty"`
	Guessed     bool   `json:"guessed,omitempty"`
}

// Tier is the rates of calls whose prompts have more than Above tokens.
type Tier struct {
	Above      int64 `json:"above"`
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cache_read,omitempty"`
	CacheWrite int64 `json:"cache_write,omitempty"`
}

// Cap is what is reserved and posted for a model whose price is not known: more than nearly
// every model costs, and never nothing.
func Cap() Rates {
	const input, output = 10e12, 50e12
	return Rates{Input: input, Output: output, Assumed: true}
}

// RatesOf are the rates of a price; those of Cap if there is none. What a price does not say of
// a cache or of sound costs what other tokens cost: dearer, if anything.
func RatesOf(p *provider.Price) Rates {
	if p == nil {
		return Cap()
	}
	r := Rates{
		Input: rate(p.Input), Output: rate(p.Output), CacheRead: rate(p.CacheRead), CacheWrite: rate(p.CacheWrite),
		CacheWrite1h: rate(p.CacheWrite1h), Reasoning: rate(p.Reasoning), AudioIn: rate(p.AudioInput), AudioOut: rate(p.AudioOutput),
	}
	for _, t := range p.Tiers {
		r.Tiers = append(r.Tiers, Tier{
			Above: t.Above, Input: rate(t.Input), Output: rate(t.Output), CacheRead: rate(t.CacheRead), CacheWrite: rate(t.CacheWrite),
		})
	}
	return r
}

// RatesAt are the rates of a price at a tier of a vendor's service, which is named as its facts name it.
func RatesAt(f *provider.Facts, p *provider.Price, tier string) Rates {
	r := RatesOf(p)
	if tier == "" {
		return r
	}
	if r.ServiceTier = tier; p == nil || p.Input == 0 && p.Output == 0 { // what is free is so at every tier
		return r
	}
	t, known := f.TierPrice(p, tier)
	if t.Times != 0 {
		r = r.times(t.Times)
	} else {
		r = r.instead(RatesOf(&provider.Price{
			Input: t.Input, Output: t.Output, CacheRead: t.CacheRead, CacheWrite: t.CacheWrite, CacheWrite1h: t.CacheWrite1h,
			AudioInput: t.AudioInput, AudioOutput: t.AudioOutput,
		}))
	}
	r.ServiceTier, r.Guessed = tier, !known
	return r
}

// times is the rates n times as high, each rounded up.
func (r Rates) times(n float64) Rates {
	millionths := int64(math.Round(n * 1e6))
	high := func(rate *int64) {
		var s sum
		s.add(*rate, millionths)
		m, err := s.money()
		if *rate = min(int64(m), mostRate); err != nil {
			*rate = mostRate
		}
	}
	for _, rate := range []*int64{&r.Input, &r.Output, &r.CacheRead, &r.CacheWrite, &r.CacheWrite1h, &r.Reasoning, &r.AudioIn, &r.AudioOut} {
		high(rate)
	}
	r.Tiers = slices.Clone(r.Tiers)
	for i := range r.Tiers {
		t := &r.Tiers[i]
		for _, rate := range []*int64{&t.Input, &t.Output, &t.CacheRead, &t.CacheWrite} {
			high(rate)
		}
	}
	return r
}

// instead is other rates in the place of r, above each of its steps no lower than that.
func (r *Rates) instead(other Rates) Rates {
	said := other.At(0)
	for _, t := range r.Tiers {
		step := r.At(t.Above + 1)
		other.Tiers = append(other.Tiers, Tier{
			Above: t.Above, Input: max(step.Input, said.Input), Output: max(step.Output, said.Output),
			CacheRead: max(step.CacheRead, said.CacheRead), CacheWrite: max(step.CacheWrite, said.CacheWrite),
		})
	}
	return other
}

// mostRate is a million dollars per million tokens.
const mostRate = 1e18

// rate turns dollars per million tokens into pico-dollars, rounded up. What is no price at all
// is as dear as can be.
func rate(dollars float64) int64 {
	pico := math.Ceil(dollars*float64(USD) - 1e-3)
	if !(pico >= 0 && pico <= mostRate) { // NaN is in neither
		return mostRate
	}
	return int64(pico)
}

// Text is the rates as they are pinned in the ledger.
func (r Rates) Text() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic("BUG: budget: rates cannot be written: " + err.Error())
	}
	return string(text)
}

// ParseRates reads what Text wrote.
func ParseRates(text string) (Rates, error) {
	var r Rates
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Rates{}, fmt.Errorf("read pinned rates: %w", err)
	}
	return r, nil
}

// Cost is what tokens cost, rounded up once. It is the one price of everything: what is
// reserved, posted, reported and verified.
func (r *Rates) Cost(t Tokens) (Money, error) {
	if !t.isSane() {
		return 0, ErrRange
	}
	at := r.At(t.Input())
	var s sum
	s.add(t.Fresh-t.AudioIn, at.Input)
	s.add(t.AudioIn, at.AudioIn)
	s.add(t.CacheRead, at.CacheRead)
	s.add(t.CacheWrite, at.CacheWrite)
	s.add(t.Cache1h, at.CacheWrite1h)
	s.add(t.Output-t.AudioOut, at.Output)
	s.add(t.AudioOut, at.AudioOut)
	s.add(t.Reasoning, at.Reasoning)
	return s.money()
}

// At is the rates of a call whose prompt has so many tokens, each of them said.
func (r *Rates) At(input int64) Rates {
	in, out, read, write := r.Input, r.Output, r.CacheRead, r.CacheWrite
	for _, tier := range r.Tiers {
		if input > tier.Above {
			in, out = or(tier.Input, r.Input), or(tier.Output, r.Output)
			read, write = or(tier.CacheRead, r.CacheRead), or(tier.CacheWrite, r.CacheWrite)
		}
	}
	write = or(write, in)
	return Rates{
		Input: in, Output: out, CacheRead: or(read, in), CacheWrite: write, CacheWrite1h: or(r.CacheWrite1h, write),
		Reasoning: or(r.Reasoning, out), AudioIn: or(r.AudioIn, in), AudioOut: or(r.AudioOut, out), Assumed: r.Assumed,
	}
}

// or is a rate, or another where there is none.
func or(rate, other int64) int64 {
	if rate == 0 {
		return other
	}
	return rate
}

// sum is in pico-dollars for a million tokens, of 128 bits.
type sum struct{ hi, lo uint64 }

func (s *sum) add(tokens, rate int64) {
	if tokens == 0 || rate == 0 {
		return
	}
	hi, lo := bits.Mul64(uint64(tokens), uint64(rate)) //nolint:gosec // both were found not to be negative
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi += hi + carry // 2³⁰ tokens at 10¹⁸ each, eight times, are far from 2¹²⁸
}

func (s *sum) money() (Money, error) {
	const million = 1_000_000
	if s.hi >= million {
		return 0, ErrRange
	}
	n, rest := bits.Div64(s.hi, s.lo, million)
	if rest > 0 {
		n++
	}
	if n > math.MaxInt64 {
		return 0, ErrRange
	}
	return Money(n), nil //nolint:gosec // checked above
}
