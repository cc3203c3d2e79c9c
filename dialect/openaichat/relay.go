package openaichat

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

// types are the kinds of a request's members: openai.yaml, CreateChatCompletionRequest.
var types = forms.NewTypes(
	[2]string{"array", "messages tools functions"},
	[2]string{"string", "model verbosity safety_identifier user service_tier prompt_cache_key"},
	[2]string{"boolean", "stream store parallel_tool_calls"},
	[2]string{"integer", "max_tokens max_completion_tokens n seed random_seed top_logprobs"},
	[2]string{"number", "temperature top_p frequency_penalty presence_penalty"},
	[2]string{"object", "stream_options response_format logit_bias metadata"},
	[2]string{"string or array", "stop"},
	[2]string{"string or object", "tool_choice function_call"},
	[2]string{"boolean or integer", "logprobs"},                   // a number at Together AI
	[2]string{"string or integer or boolean", "reasoning_effort"}, // any of these at Fireworks AI
)

// Peek reads the model, which a path may name instead, and whether the answer shall be streamed, with usage.
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
		case key == "stream_options":
			p.StreamUsage = string(v.Get("include_usage")) == "true"
		case key == "max_tokens" || key == "max_completion_tokens":
			limit, _ := v.Int()                   // whether it is legal is the vendor's to say,
			p.MaxTokens = max(p.MaxTokens, limit) // and which of the two it follows
		case key == "n":
			p.Choices, _ = v.Int()
		case key == "service_tier":
			p.Tier, err = v.Text()
		}
		return err
	})
	if err != nil {
		return dialect.Peeked{}, forms.OpenAIInvalid(err)
	}
	p.Choices = min(p.Choices, 1<<16) // it is never so large
	if p.Choices > 1 {
		p.MaxTokens = min(p.MaxTokens, 1<<32) * p.Choices // nor is this
	}
	return p, nil
}

// SetModel replaces the model, or adds it if the path named it, and asks for usage in the stream if the gateway wants
// it.
func (relay) SetModel(body []byte, model string, ask dialect.Ask) ([]byte, error) {
	named, err := jsontext.SetTopString(body, "model", model)
	if err != nil && forms.Trim(body).Get("model").IsNull() {
		named, err = jsontext.Set(body, "model", jsontext.AppendString(nil, model))
	}
	body = named
	if err != nil || !ask.StreamUsage {
		return body, err
	}
	return jsontext.Set(body, "stream_options.include_usage", []byte("true"))
}

// Strip removes the thinking that this gateway showed, and what others signed of it, from the messages that a client
// sends back.
func (relay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	if !bytes.Contains(body, []byte(typeThinking)) {
		return body, nil, nil
	}
	messages := forms.Trim(body).Get("messages")
	stripped, changed, err := jsontext.EditElements(messages, stripMessage)
	if err != nil || !changed {
		return body, nil, err
	}
	out, err := jsontext.Set(body, "messages", stripped)
	if err != nil {
		return nil, nil, err
	}
	l := loss(llm.FeatureThinkingHistory, llm.ActionDropped, llm.Harmless, "thinking of another vendor, shown by this gateway")
	l.Path = "messages[]." + keyDetails
	return out, []llm.Loss{l}, nil
}

// stripMessage removes our entries of reasoning_details and the text that was shown with them.
func stripMessage(m jsontext.Value) (out []byte, err error) {
	details := m.Get(keyDetails)
	left := 0
	rest, changed, err := jsontext.EditElements(details, func(v jsontext.Value) ([]byte, error) {
		if _, ours := readDetail(v); ours {
			return nil, nil
		}
		left++
		return v, nil
	})
	if err != nil || !changed {
		return m, err
	}
	if left > 0 {
		out, err = jsontext.Set(m, keyDetails, rest)
	} else {
		out, _, err = jsontext.Drop(m, keyDetails)
	}
	if err == nil {
		out, _, err = jsontext.Drop(out, keyReasoning)
	}
	if err == nil && hasNothing(out) {
		out, err = jsontext.Set(out, "content", []byte(`""`))
	}
	return out, err
}

// hasNothing reports whether a message of the assistant's has none of the members of which it must have one.
func hasNothing(m jsontext.Value) bool {
	for _, key := range [...]string{"content", "tool_calls", "refusal", "function_call", "audio"} {
		if !m.Get(key).IsNull() {
			return false
		}
	}
	return true
}
