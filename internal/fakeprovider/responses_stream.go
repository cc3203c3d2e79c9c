package fakeprovider

import (
	"fmt"
	"strings"
)

// responsesStream writes the events of one response, numbered.
type responsesStream struct {
	responses
	a      Ask
	r      *Reply
	number int64
	fs     []frame
	index  int // of the item
}

func (v responses) stream(a Ask, r *Reply, number int64) []frame {
	s := &responsesStream{responses: v, a: a, r: r, number: number}
	s.add(frameStart, "response.created", `"response":`+v.response(a, r, number, nil, true))
	s.add(frameStart, "response.in_progress", `"response":`+v.response(a, r, number, nil, true))
	for i, t := range v.thoughts(a, r) {
		s.thinking(i, t)
	}
	switch {
	case r.Refusal != "":
		s.message(words(r.Refusal), v.refusalPart, "refusal")
	case r.Text != "" || len(r.Parts) > 0 || len(r.ToolCalls) == 0:
		s.message(r.Parts, func(said string) string { return v.outputText(a, r, said, said != "") }, "output_text")
	}
	for i, c := range r.ToolCalls {
		s.toolCall(i, c)
	}
	status, _ := v.status(r)
	s.add(frameFinish, "response."+status, `"response":`+v.response(a, r, number, v.items(a, r, number), false))
	return s.fs
}

func (s *responsesStream) add(kind frameKind, event, rest string) {
	s.fs = append(s.fs, frame{name: event, kind: kind, data: fmt.Sprintf(`{"type":%s,"sequence_number":%d,%s}`, quote(event), len(s.fs), rest)})
}

// item writes that an item begins or ends.
func (s *responsesStream) item(kind frameKind, event, item string) {
	s.add(kind, "response.output_item."+event, fmt.Sprintf(`"output_index":%d,"item":%s`, s.index, item))
	if event == "done" {
		s.index++
	}
}

func (s *responsesStream) at(id string) string {
	return fmt.Sprintf(`"item_id":%s,"output_index":%d`, quote(id), s.index)
}

func (s *responsesStream) thinking(i int, t thought) {
	at := s.at(s.itemID("rs", s.number, i)) + `,"summary_index":0,`
	s.item(frameOpen, "added", s.reasoning(s.number, i, t, false))
	if t.text != "" {
		s.add(frameOpen, "response.reasoning_summary_part.added", at+`"part":{"type":"summary_text","text":""}`)
		for _, w := range words(t.text) {
			s.add(frameThinking, "response.reasoning_summary_text.delta", at+`"delta":`+quote(w)+`,"obfuscation":"x"`)
		}
		s.add(frameShut, "response.reasoning_summary_text.done", at+`"text":`+quote(t.text))
		s.add(frameShut, "response.reasoning_summary_part.done", at+`"part":{"type":"summary_text","text":`+quote(t.text)+`}`)
	}
	done := frameShut
	if t.encrypted != "" {
		done = frameThinking
	}
	s.item(done, "done", s.reasoning(s.number, i, t, true))
}

// message writes a message of one content.
func (s *responsesStream) message(said []string, part func(said string) string, kind string) {
	id, status := s.itemID("msg", s.number, 0), "completed"
	if s.r.Stop != "" {
		status = "incomplete"
	}
	at := s.at(id) + `,"content_index":0,`
	s.item(frameOpen, "added", s.responses.message(id, "in_progress", ""))
	s.add(frameOpen, "response.content_part.added", at+`"part":`+part(""))
	for _, w := range said {
		more := ""
		if kind == "output_text" {
			more = `,"logprobs":` + s.logprobs(s.a, w) + `,"obfuscation":"AbC"`
		}
		s.add(frameText, "response."+kind+".delta", at+`"delta":`+quote(w)+more)
	}
	whole := strings.Join(said, "")
	if kind == "output_text" {
		for i, c := range s.r.Citations {
			s.add(frameText, "response.output_text.annotation.added", at+fmt.Sprintf(`"annotation_index":%d,"annotation":%s`, i, s.annotation(s.r, c)))
		}
		s.add(frameShut, "response.output_text.done", at+`"logprobs":`+s.logprobs(s.a, said...)+`,"text":`+quote(whole))
	} else {
		s.add(frameShut, "response.refusal.done", at+`"refusal":`+quote(whole))
	}
	s.add(frameShut, "response.content_part.done", at+`"part":`+part(whole))
	s.item(frameShut, "done", s.responses.message(id, status, part(whole)))
}

func (s *responsesStream) toolCall(i int, c ToolCall) {
	args := or(c.Arguments, "{}")
	write, event, key, prefix := s.call, "function_call_arguments", "arguments", "fc"
	if s.a.isFreeForm(c.Name) {
		write, event, key, prefix = s.freeForm, "custom_tool_call_input", "input", "ctc"
	}
	at := s.at(s.itemID(prefix, s.number, i)) + ","
	s.item(frameTool, "added", write(s.number, i, c, "in_progress", ""))
	for _, f := range fragments(args) {
		s.add(frameTool, "response."+event+".delta", at+`"delta":`+quote(f)+`,"obfuscation":"y"`)
	}
	s.add(frameShut, "response."+event+".done", at+`"`+key+`":`+quote(args))
	s.item(frameShut, "done", write(s.number, i, c, "completed", args))
}
