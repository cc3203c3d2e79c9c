package ollama

import (
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf makes usage of the two counts that there are. Thinking is counted with the answer, and not told apart. A server
// leaves out the prompt's count where it had the whole prompt from the turn before.
func usageOf(prompt, eval jsontext.Value) llm.Usage {
	u := llm.Usage{InFresh: count(prompt), OutVisible: count(eval)}
	u.Known = u.InFresh+u.OutVisible > 0
	return u
}

// maxCount bounds counts, so that sums of them stay numbers that every client can read.
const maxCount = 1 << 52

// count reads a number of tokens; anything else is none.
func count(v jsontext.Value) int64 {
	if v.Kind() != jsontext.Number {
		return 0
	}
	n, err := v.Int()
	if err != nil {
		return 0
	}
	return min(max(n, 0), maxCount)
}

func writeUsage(w *jsontext.Writer, u llm.Usage) {
	if u.Known {
		w.IntField("prompt_eval_count", u.Input())
		w.IntField("eval_count", u.Output())
	}
}
