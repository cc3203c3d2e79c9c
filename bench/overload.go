package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The capacity of the overloaded gateway: so many calls, each of so many milliseconds.
const (
	overloadCalls = 100
	overloadWait  = 200
)

// overload is L10: a usual load, four times as much as there is room for, and the usual load again.
func (b *bench) overload(ctx context.Context, s *stage) ([]figure, error) {
	const capacity, usual = overloadCalls * 1000 / overloadWait, overloadCalls * 1000 / overloadWait * 4 / 5
	lasts := b.duration / 5
	before := s.offer(ctx, overloadWait, usual, lasts/2)
	during := s.offer(ctx, overloadWait, 4*capacity, lasts)
	after := s.offer(ctx, overloadWait, usual, lasts)
	refusals := during.times(false)
	normal := before.p99()
	return []figure{
		{"whole answers a second", fmt.Sprintf("%.0f of %d", during.rate(), capacity), "≥ 90 %"},
		{"refusals, p50 / p99", fmt.Sprintf("%v / %v (%d)", at(refusals, 0.5).Round(10*time.Microsecond), at(refusals, 0.99).Round(10*time.Microsecond), len(refusals)), "p99 ≤ 10 ms"},
		{"failed otherwise", strconv.Itoa(before.failed + during.failed + after.failed), "0"},
		{"at four fifths before, whole a second, p99", fmt.Sprintf("%.0f of %d, %v", before.rate(), usual, normal.Round(time.Millisecond)), ""},
		{"at four fifths afterwards, whole a second, p99", fmt.Sprintf("%.0f of %d, %v", after.rate(), usual, after.p99().Round(time.Millisecond)), "as before"},
		{"as before again after", after.normalAfter(normal), "10s"},
	}, ctx.Err()
}

// offered is what became of calls that were made at a rate, whether or not there were answers.
type offered struct {
	lasts   time.Duration
	answers []offeredAnswer
	failed  int
}

type offeredAnswer struct {
	at, took time.Duration // when it was asked for, since the beginning
	whole    bool          // otherwise it was a refusal
}

// times are how long whole answers took, or refusals.
func (o *offered) times(whole bool) []time.Duration {
	var all []time.Duration
	for _, a := range o.answers {
		if a.whole == whole {
			all = append(all, a.took)
		}
	}
	return all
}

func (o *offered) p99() time.Duration { return at(o.times(true), 0.99) }

// rate is how many whole answers there were a second.
func (o *offered) rate() float64 { return float64(len(o.times(true))) / o.lasts.Seconds() }

// normalAfter is the first second from which on the slowest hundredth of the answers took no more than twice what they
// take usually, on a machine whose own pauses are in both, and nothing was refused.
func (o *offered) normalAfter(usual time.Duration) string {
	seconds := int(o.lasts / time.Second)
	from := seconds
	for ; from > 0; from-- {
		one := offered{answers: slices.DeleteFunc(slices.Clone(o.answers), func(a offeredAnswer) bool { return int(a.at/time.Second) != from-1 })}
		if one.p99() > 2*usual || len(one.times(false)) > 0 {
			break
		}
	}
	if from == seconds && seconds > 0 {
		return "never"
	}
	return fmt.Sprintf("%ds", from)
}

// offer asks at a rate, whether or not there are answers, which take so many milliseconds.
func (s *stage) offer(ctx context.Context, takes, rate int, lasts time.Duration) *offered {
	o := &offered{lasts: lasts}
	var all sync.WaitGroup
	var mu sync.Mutex
	begun := time.Now()
	for i := 0; time.Since(begun) < lasts && ctx.Err() == nil; i++ {
		due := time.Duration(i) * time.Second / time.Duration(rate)
		time.Sleep(time.Until(begun.Add(due)))
		all.Go(func() {
			status, took, err := s.ask(ctx, fmt.Sprintf("wait-%d", takes))
			mu.Lock()
			defer mu.Unlock()
			if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
				o.failed++
				return
			}
			o.answers = append(o.answers, offeredAnswer{due, took, status == http.StatusOK})
		})
	}
	all.Wait()
	return o
}
