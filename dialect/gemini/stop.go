package gemini

import (
	"strconv"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The finish reasons that are written.
const (
	finishStop      = "STOP"
	finishLength    = "MAX_TOKENS"
	finishSafety    = "SAFETY"
	finishMalformed = "MALFORMED_FUNCTION_CALL"
	finishOther     = "OTHER"
)

// numbered are the finish reasons by the numbers that a client may ask for instead.
var numbered = [...]string{
	"FINISH_REASON_UNSPECIFIED", finishStop, finishLength, finishSafety, "RECITATION", finishOther, "LANGUAGE", "BLOCKLIST",
	"PROHIBITED_CONTENT", "SPII", finishMalformed, "IMAGE_SAFETY", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
}

// finishWord reads finishReason.
func finishWord(v jsontext.Value) string {
	if n, err := v.Int(); err == nil {
		if 0 <= n && n < int64(len(numbered)) {
			return numbered[n]
		}
		return strconv.FormatInt(n, 10)
	}
	return forms.TextOf(v)
}

// stopReason maps Candidate.FinishReason.
func stopReason(raw string) llm.StopReason {
	switch raw {
	case finishStop:
		return llm.StopEnd
	case finishLength:
		return llm.StopLength
	case finishSafety, "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
		"IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION", "MODEL_ARMOR":
		return llm.StopContentFilter
	case finishMalformed, "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE":
		return llm.StopMalformed
	default:
		return llm.StopOther
	}
}

// isFinish reports whether a finish reason says that a candidate has ended.
func isFinish(v jsontext.Value) bool {
	return !v.IsNull() && !is(v, numbered[0]) && !is(v, "") && string(v) != "0"
}

// stopWord is the finishReason to say: the vendor's own word if it was one, else the nearest.
func stopWord(s llm.Stop) string {
	if s.Raw != "" && s.Reason != llm.StopOther && stopReason(s.Raw) == s.Reason {
		return s.Raw
	}
	switch s.Reason {
	case llm.StopLength, llm.StopContextFull:
		return finishLength
	case llm.StopContentFilter, llm.StopRefusal:
		return finishSafety
	case llm.StopMalformed:
		return finishMalformed
	case llm.StopOther:
		return finishOther
	default:
		return finishStop
	}
}

// agree makes the stop reason and the calls of an answer say the same: the vendor has no word for calls.
func agree(stop llm.Stop, hasCall bool) llm.Stop {
	if hasCall && (stop.Reason == llm.StopEnd || stop.Reason == llm.StopOther) {
		stop.Reason = llm.StopToolCalls
	}
	return stop
}
