package dialect

import "github.com/understudy-ai/understudy/llm"

// RestoreEvent makes a call in an event one that the client knows: by its own name of the tool.
func (e Encoded) RestoreEvent(ev *llm.Event) {
	if ev.Kind == llm.EventPartStart && ev.Part.Call != nil {
		e.restore(ev.Part.Call)
	}
}

// RestoreResponse makes the calls in an answer ones that the client knows.
func (e Encoded) RestoreResponse(r *llm.Response) {
	for i := range r.Choices {
		for j := range r.Choices[i].Parts {
			if call := r.Choices[i].Parts[j].Call; call != nil {
				e.restore(call)
			}
		}
	}
}

func (e Encoded) restore(call *llm.ToolCall) {
	if name, ok := e.ToolNames[call.Name]; ok {
		call.Name = name
	}
	call.Old = e.OldCalls
}
