package ollama

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// usageOf makes usage of the two counts that there are. Thinking is counted with the answer, and not told apart. A server
// leaves out the prompt's count where it had the whole prompt from the turn before.
func usageOf(prompt, eval jsontext.Value) llm.Usage {
	var counts forms.Counts
	u := counts.Usage(llm.Usage{InFresh: counts.Read(prompt), OutVisible: counts.Read(eval)})
	u.InUntold = u.Known && prompt.Kind() != jsontext.Number
	return u
}

func writeUsage(w *jsontext.Writer, u llm.Usage) {
	if !u.Known {
		return
	}
	if !u.InUntold {
		w.IntField("prompt_eval_count", u.Input())
	}
	w.IntField("eval_count", u.Output())
}
