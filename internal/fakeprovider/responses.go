package fakeprovider

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// responses speaks OpenAI's Responses. What the two APIs of the vendor have in common is openai's.
type responses struct{ openai }

func (responses) chatPath() string { return "/v1/responses" }

// missingModel is the vendor's answer for a model it does not serve; this API has a status of its own for it.
func (responses) missingModel(model string) *Error {
	return &Error{
		Status: http.StatusBadRequest, Type: invalidRequest, Code: "model_not_found", Param: "model",
		Message: "The requested model '" + model + "' does not exist.",
	}
}

// errorFrame is an error event as the API sends it: the error in a member.
func (responses) errorFrame(e *Error, _ int64) frame {
	code := "null"
	if e.Code != "" {
		code = quote(e.Code)
	}
	return frame{name: "error", kind: frameError, data: fmt.Sprintf(`{"type":"error","sequence_number":2,"error":{"type":%s,"code":%s,"message":%s,"param":null}}`, quote(e.Type), code, quote(e.Message))}
}

func (responses) usage(u Usage) string {
	input := u.Input + u.CacheRead + u.CacheWrite
	return fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}`,
		input, u.CacheRead, u.CacheWrite, u.Output, u.Reasoning, input+u.Output)
}

// status is the response's status, with the reason of one that is incomplete.
func (responses) status(r *Reply) (status, reason string) {
	if r.Stop == "" {
		return "completed", "null"
	}
	return "incomplete", `{"reason":` + quote(r.Stop) + `}`
}

// response writes a response with some output, or none where it has only begun.
func (v responses) response(a Ask, r *Reply, number int64, output []string, begun bool) string {
	status, reason := v.status(r)
	usage, done, tier := v.usage(r.usage(a)), strconv.Itoa(created+1), a.served("default")
	if begun {
		status, reason, usage, done, tier = "in_progress", "null", "null", "null", or(a.Tier, "auto") // what is asked for
	}
	return fmt.Sprintf(`{"id":"resp_%032d","object":"response","created_at":%d,"status":%s,"background":false,"completed_at":%s,"error":null,`+
		`"incomplete_details":%s,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":%s,"output":[%s],"parallel_tool_calls":true,`+
		`"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":%s,`+
		`"store":false,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_logprobs":0,`+
		`"top_p":1.0,"truncation":"disabled","usage":%s,"user":null,"metadata":{}}`,
		number, created, quote(status), done, reason, quote(a.Model), strings.Join(output, ","), quote(tier), usage)
}

// nothing is a body without output and without a status.
func (responses) nothing(a Ask, number int64, output string) []byte {
	return fmt.Appendf(nil, `{"id":"resp_%032d","object":"response","created_at":%d,"model":%s,"output":%s,"usage":{"input_tokens":9,"output_tokens":0,"total_tokens":9}}`,
		number, created, quote(a.Model), output)
}

func (responses) itemID(prefix string, number int64, i int) string {
	return fmt.Sprintf("%s_%028d%04d", prefix, number, i)
}

// logprobs writes token probabilities of the text parts.
func (responses) logprobs(a Ask, parts ...string) string {
	if !a.Logprobs {
		return "[]"
	}
	var tokens []string
	for _, p := range parts {
		var top []string
		for i := range a.TopLogprobs {
			tok := p
			if i > 0 {
				tok = fmt.Sprintf("alt%d", i)
			}
			top = append(top, token(tok, -0.25-float64(i)))
		}
		t := token(p, -0.25)
		tokens = append(tokens, t[:len(t)-1]+`,"top_logprobs":[`+strings.Join(top, ",")+`]}`)
	}
	return "[" + strings.Join(tokens, ",") + "]"
}

// annotation writes a citation of the whole text.
func (responses) annotation(r *Reply, c Citation) string {
	return fmt.Sprintf(`{"type":"url_citation","end_index":%d,"start_index":0,"title":%s,"url":%s}`, len([]rune(r.Text)), quote(c.Title), quote(c.URL))
}

// outputText writes the content of a message as it is with this much said.
func (v responses) outputText(a Ask, r *Reply, said string, whole bool) string {
	var notes []string
	logprobs := "[]"
	if whole {
		for _, c := range r.Citations {
			notes = append(notes, v.annotation(r, c))
		}
		logprobs = v.logprobs(a, r.Parts...)
	}
	return fmt.Sprintf(`{"type":"output_text","annotations":[%s],"logprobs":%s,"text":%s}`, strings.Join(notes, ","), logprobs, quote(said))
}

func (responses) refusalPart(said string) string {
	return `{"type":"refusal","refusal":` + quote(said) + `}`
}

func (responses) message(id, status, content string) string {
	return fmt.Sprintf(`{"id":%s,"type":"message","status":%s,"content":[%s],"phase":"final_answer","role":"assistant"}`, quote(id), quote(status), content)
}

func (v responses) call(number int64, i int, c ToolCall, status, args string) string {
	return fmt.Sprintf(`{"id":%s,"type":"function_call","status":%s,"arguments":%s,"call_id":%s,"name":%s}`,
		quote(v.itemID("fc", number, i)), quote(status), quote(args), quote(or(c.ID, v.callID(number, 0, i))), quote(c.Name))
}

// freeForm writes a call of a free-form tool, which takes text.
func (v responses) freeForm(number int64, i int, c ToolCall, status, input string) string {
	return fmt.Sprintf(`{"id":%s,"type":"custom_tool_call","status":%s,"call_id":%s,"input":%s,"name":%s}`,
		quote(v.itemID("ctc", number, i)), quote(status), quote(or(c.ID, v.callID(number, 0, i))), quote(input), quote(c.Name))
}

// thoughts are the reasoning items of a reply, each its summary, what is encrypted of it, and its text.
type thought struct{ text, encrypted string }

func (v responses) thoughts(a Ask, r *Reply) []thought {
	var list []thought
	if r.Thinking != "" {
		encrypted := ""
		if a.Sealed {
			encrypted = or(r.Signature, sealed(r.Thinking))
		}
		list = append(list, thought{r.Thinking, encrypted})
	}
	if r.Redacted != "" && a.Sealed {
		list = append(list, thought{"", r.Redacted})
	}
	return list
}

// sealed is what reasoning is encrypted to. Nobody else's begins like it.
func sealed(text string) string { return "gAAAAAB" + strings.Repeat("x", len(text)%7) + "fake==" }

func (v responses) reasoning(number int64, i int, t thought, whole bool) string {
	summary, encrypted := "", ""
	if whole && t.text != "" {
		summary = `{"type":"summary_text","text":` + quote(t.text) + `}`
	}
	if t.encrypted != "" {
		encrypted = `,"encrypted_content":` + quote(t.encrypted)
		if !whole { // the beginning of one is not yet all of it
			encrypted = `,"encrypted_content":"gAAAAAB"`
		}
	}
	return fmt.Sprintf(`{"id":%s,"type":"reasoning"%s,"summary":[%s]}`, quote(v.itemID("rs", number, i)), encrypted, summary)
}

func (v responses) unary(a Ask, r *Reply, number int64) []byte {
	return []byte(v.response(a, r, number, v.items(a, r, number), false))
}

// items are the output of a reply.
func (v responses) items(a Ask, r *Reply, number int64) []string {
	var out []string
	for i, t := range v.thoughts(a, r) {
		out = append(out, v.reasoning(number, i, t, true))
	}
	status, _ := v.status(r)
	id := v.itemID("msg", number, 0)
	switch {
	case r.Refusal != "":
		out = append(out, v.message(id, status, v.refusalPart(r.Refusal)))
	case r.Text != "" || len(r.ToolCalls) == 0:
		out = append(out, v.message(id, status, v.outputText(a, r, strings.Join(r.Parts, ""), true)))
	}
	for i, c := range r.ToolCalls {
		if a.isFreeForm(c.Name) {
			out = append(out, v.freeForm(number, i, c, "completed", or(c.Arguments, "{}")))
			continue
		}
		out = append(out, v.call(number, i, c, "completed", or(c.Arguments, "{}")))
	}
	return out
}

// isFreeForm reports whether an offered tool takes text.
func (a Ask) isFreeForm(name string) bool {
	for _, t := range a.Tools {
		if t.Name == name {
			return t.FreeForm
		}
	}
	return false
}
