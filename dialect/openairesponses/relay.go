package openairesponses

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

// types are the kinds of a request's members: openai.yaml, CreateResponse.
var types = forms.NewTypes(
	[2]string{"string", "model instructions safety_identifier user service_tier prompt_cache_key truncation"},
	[2]string{"string or array of items", "input"},
	[2]string{"array", "tools include"},
	[2]string{"string or object", "tool_choice"},
	[2]string{"boolean", "stream store background parallel_tool_calls"},
	[2]string{"integer", "max_output_tokens top_logprobs"},
	[2]string{"number", "temperature top_p"},
	[2]string{"object", "stream_options metadata text reasoning"},
)

// Peek reads the model and whether the answer shall be streamed. A stream of this dialect always tells its usage.
func (relay) Peek(body []byte) (dialect.Peeked, error) {
	var p dialect.Peeked
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return p, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	err := v.Members(func(name []byte, v jsontext.Value) error {
		err := types.Check(name, v)
		switch key := string(name); {
		case err != nil, v.IsNull():
		case key == "model":
			p.Model, err = v.Text()
		case key == "stream":
			p.Stream, err = v.Bool()
		case key == "service_tier":
			p.Tier, err = v.Text()
		case key == "background":
			p.Background, err = v.Bool()
		case key == "previous_response_id", key == "conversation":
			p.Object = objectID(v)
		case key == "max_output_tokens":
			p.MaxTokens, _ = v.Int() // whether it is legal is the vendor's to say
		}
		return err
	})
	if err != nil {
		return dialect.Peeked{}, forms.OpenAIInvalid(err)
	}
	if p.Model == "" {
		return dialect.Peeked{}, llm.Invalid("model", "Missing required parameter: 'model'.")
	}
	p.StreamUsage = p.Stream
	return p, nil
}

// objectID reads an id, or that of an object: openai.yaml, ConversationParam.
func objectID(v jsontext.Value) string {
	if v.Kind() == jsontext.Object {
		v = v.Get("id")
	}
	return forms.Scalar(v)
}

// SetModel replaces the model's name. There is nothing to ask for: usage always comes.
func (relay) SetModel(body []byte, model string, _ dialect.Ask) ([]byte, error) {
	return jsontext.SetTopString(body, "model", model)
}

// Strip removes the reasoning of other vendors that this gateway showed: the dialect's own vendor knows neither the
// items nor what is encrypted in them.
func (relay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	if !bytes.Contains(body, []byte(`"`+marker)) {
		return body, nil, nil
	}
	return dropReasoning(body, isForeign, "reasoning of another vendor, shown by this gateway")
}

// withoutSealed removes the encrypted reasoning that the vendor cannot read. What else is encrypted, as a conversation in
// short, is all that is left of something, and stays.
func withoutSealed(body []byte) ([]byte, []llm.Loss, error) {
	return dropReasoning(body, func(item jsontext.Value) bool {
		return is(item.Get("type"), itemReasoning) && textOf(item.Get("encrypted_content")) != ""
	}, "reasoning that the target cannot decrypt")
}

// dropReasoning takes reasoning items out of the input.
func dropReasoning(body []byte, goes func(jsontext.Value) bool, why string) ([]byte, []llm.Loss, error) {
	input := forms.Trim(body).Get("input")
	if input.Kind() != jsontext.Array {
		return body, nil, nil
	}
	left, n := without(input, goes)
	if n == 0 {
		return body, nil, nil
	}
	out, err := jsontext.Set(body, "input", left)
	if err != nil {
		return nil, nil, forms.OpenAIInvalid(err)
	}
	return out, []llm.Loss{{
		Feature: llm.FeatureThinkingHistory, Path: "input[]." + itemReasoning, Action: llm.ActionDropped, Severity: harmless,
		Detail: why,
	}}, nil
}

// without returns the text of a list without the elements that are to go, and how many went. Every other byte stays.
func without(list jsontext.Value, goes func(jsontext.Value) bool) ([]byte, int) {
	out := []byte{'['}
	at, gone, kept := 1, 0, 0                            // list[at:] is not looked at yet
	_ = list.Array(func(i int, v jsontext.Value) error { // list is one, and the function returns no error
		begin := at
		for list[begin] != v[0] {
			begin++ // the comma and white space before the element
		}
		before := list[at:begin]
		at = begin + len(v)
		if goes(v) {
			gone++
			return nil
		}
		if kept == 0 && i > 0 {
			before = bytes.TrimLeft(before, ", \t\r\n")
		}
		out = append(append(out, before...), v...)
		kept++
		return nil
	})
	return append(out, list[at:]...), gone
}
