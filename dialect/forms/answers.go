package forms

import (
	"github.com/understudy-ai/understudy/llm"
)

// Agree makes the stop reason and the calls of an answer say the same. Only calls that the client runs count.
func Agree(stop llm.Stop, hasCall bool) llm.Stop {
	switch {
	case hasCall && (stop.Reason == llm.StopEnd || stop.Reason == llm.StopSequence || stop.Reason == llm.StopOther):
		stop.Reason = llm.StopToolCalls
	case !hasCall && stop.Reason == llm.StopToolCalls:
		stop.Reason = llm.StopEnd
	}
	return stop
}
