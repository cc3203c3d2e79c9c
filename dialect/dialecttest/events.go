package dialecttest

import (
	"slices"

	"github.com/understudy-ai/understudy/llm"
)

// Events unfolds r into a stream with several deltas a part, cut between runes.
func Events(r *llm.Response) []llm.Event {
	var events []llm.Event
	for _, e := range r.Events() {
		if e.Kind != llm.EventPartDelta {
			events = append(events, e)
			continue
		}
		for _, d := range pieces(e.Delta) {
			piece := e
			piece.Delta = d
			events = append(events, piece)
		}
	}
	return events
}

// pieces cuts a delta's text into short ones.
func pieces(d llm.Delta) []llm.Delta {
	const size = 5 // runes
	var list []llm.Delta
	for _, s := range cutRunes(d.Text, size) {
		list = append(list, llm.Delta{Text: s})
	}
	for _, s := range cutRunes(d.Args, size) {
		list = append(list, llm.Delta{Args: s})
	}
	if d.Signature != "" || d.Citation != nil {
		list = append(list, llm.Delta{Signature: d.Signature, Citation: d.Citation})
	}
	return list
}

func cutRunes(s string, size int) []string {
	var list []string
	runes := []rune(s)
	for len(runes) > size {
		list, runes = append(list, string(runes[:size])), runes[size:]
	}
	if len(runes) > 0 {
		list = append(list, string(runes))
	}
	return list
}

// interleave reorders the events of two or more tool calls that stand together so that their deltas alternate.
func interleave(events []llm.Event) ([]llm.Event, bool) {
	first, last, calls := -1, -1, 0
	for i, e := range events {
		if e.Kind == llm.EventPartStart && e.Part.Kind == llm.PartToolCall {
			if calls == 0 {
				first = i
			}
			calls++
		}
		if e.Kind == llm.EventPartEnd && calls > 0 {
			last = i
		}
	}
	if calls < 2 {
		return nil, false
	}
	queues := map[int][]llm.Event{}
	var order []int
	for _, e := range events[first : last+1] {
		if e.Kind == llm.EventPartStart {
			order = append(order, e.Index)
		}
		queues[e.Index] = append(queues[e.Index], e)
	}
	out := slices.Clone(events[:first])
	for left := last + 1 - first; left > 0; {
		for _, index := range order {
			if q := queues[index]; len(q) > 0 {
				out, queues[index] = append(out, q[0]), q[1:]
				left--
			}
		}
	}
	return append(out, events[last+1:]...), true
}
