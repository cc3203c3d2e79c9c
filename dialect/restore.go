package dialect

import "github.com/understudy-ai/understudy/llm"

// RestoreEvent puts the client's tool names back into an event.
func (e Encoded) RestoreEvent(ev *llm.Event) {
	if len(e.ToolNames) > 0 && ev.Kind == llm.EventPartStart && ev.Part.Call != nil {
		if name, ok := e.ToolNames[ev.Part.Call.Name]; ok {
			ev.Part.Call.Name = name
		}
	}
}

// RestoreResponse puts the client's tool names back into an answer.
func (e Encoded) RestoreResponse(r *llm.Response) {
	if len(e.ToolNames) == 0 {
		return
	}
	for i := range r.Choices {
		for j := range r.Choices[i].Parts {
			if call := r.Choices[i].Parts[j].Call; call != nil {
				if name, ok := e.ToolNames[call.Name]; ok {
					call.Name = name
				}
			}
		}
	}
}
