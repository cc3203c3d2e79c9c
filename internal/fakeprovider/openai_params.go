package fakeprovider

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// openaiReasoning are the models that refuse sampling parameters.
var openaiReasoning = regexp.MustCompile(`^(o[134]|gpt-5)`)

// openaiPlain are the models that do not reason.
var openaiPlain = regexp.MustCompile(`^gpt-(3\.5|4)`)

func (o *openaiReader) sampling() {
	o.within("temperature", 0, 2)
	o.within("top_p", 0, 1)
	o.within("frequency_penalty", -2, 2)
	o.within("presence_penalty", -2, 2)
	o.whole("n", 1, 128, &o.ask.N)
	if !has(o.body, "n") {
		o.ask.N = 1
	}
	o.whole("top_logprobs", 0, 20, &o.ask.TopLogprobs)
	var ignored int
	o.whole("seed", -1<<62, 1<<62, &ignored)
	o.ask.Logprobs = o.body["logprobs"] == true
	if has(o.body, "logprobs") && o.body["logprobs"] != true && o.body["logprobs"] != false {
		o.wrongType("logprobs", "a boolean", o.body["logprobs"])
	}
	if has(o.body, "top_logprobs") && !o.ask.Logprobs {
		o.fail("top_logprobs", "invalid_value", "Invalid value for 'top_logprobs': when 'top_logprobs' is specified, 'logprobs' must be set to true.")
	}
	if has(o.body, "max_tokens") && has(o.body, "max_completion_tokens") {
		o.fail("max_tokens", "invalid_parameter_combination", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	o.whole("max_tokens", 1, 1<<31, &o.ask.MaxTokens)
	o.whole("max_completion_tokens", 1, 1<<31, &o.ask.MaxTokens)
	o.stops()
}

func (o *openaiReader) stops() {
	switch stop := o.body["stop"].(type) {
	case nil:
	case string:
		o.ask.Stops = []string{stop}
	case []any:
		if len(stop) > 4 {
			o.fail("stop", "array_above_max_length", "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length %d instead.", len(stop))
		}
		for _, v := range stop {
			s, ok := v.(string)
			if !ok {
				o.wrongType("stop", "an array of strings", v)
			}
			o.ask.Stops = append(o.ask.Stops, s)
		}
	default:
		o.wrongType("stop", "one of a string or array of strings", stop)
	}
}

// within checks a number's range.
func (o *openaiReader) within(key string, low, high float64) {
	v, ok := o.body[key]
	if !ok || v == nil {
		return
	}
	n, ok := v.(json.Number)
	f, err := n.Float64()
	switch {
	case !ok || err != nil:
		o.wrongType(key, "a decimal", v)
	case f > high:
		o.fail(key, "decimal_above_max_value", "Invalid '%s': decimal above maximum value. Expected a value <= %g, but got %s instead.", key, high, n)
	case f < low:
		o.fail(key, "decimal_below_min_value", "Invalid '%s': decimal below minimum value. Expected a value >= %g, but got %s instead.", key, low, n)
	}
}

// whole checks an integer's range and keeps it.
func (o *openaiReader) whole(key string, low, high int, into *int) {
	if !has(o.body, key) {
		return
	}
	n, ok := count(o.body, key)
	switch {
	case !ok:
		o.wrongType(key, "an integer", o.body[key])
	case n > high:
		o.fail(key, "integer_above_max_value", "Invalid '%s': integer above maximum value. Expected a value <= %d, but got %d instead.", key, high, n)
	case n < low:
		o.fail(key, "integer_below_min_value", "Invalid '%s': integer below minimum value. Expected a value >= %d, but got %d instead.", key, low, n)
	}
	*into = n
}

func (o *openaiReader) output() {
	switch v := o.body["stream"].(type) {
	case nil:
	case bool:
		o.ask.Stream = v
	default:
		o.wrongType("stream", "a boolean", v)
	}
	if has(o.body, "stream_options") {
		if !o.ask.Stream {
			o.fail("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
		}
		so := obj(o.body, "stream_options")
		if key := unknown(so, "include_usage", "include_obfuscation"); key != "" && !o.lax {
			o.fail("stream_options."+key, "unknown_parameter", "Unknown parameter: 'stream_options.%s'.", key)
		}
		o.ask.Usage = so["include_usage"] == true
	}
	if !has(o.body, "response_format") {
		return
	}
	rf := obj(o.body, "response_format")
	switch kind := str(rf, "type"); kind {
	case "text":
	case "json_object":
		o.ask.JSON = true
		if !strings.Contains(strings.ToLower(compact(o.body["messages"])), "json") {
			o.fail("messages", "", "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.")
		}
	case "json_schema":
		o.schema(obj(rf, "json_schema"))
	default:
		o.fail("response_format.type", "invalid_value", "Invalid value: '%s'. Supported values are: 'json_object', 'json_schema', and 'text'.", kind)
	}
}

func (o *openaiReader) schema(js object) {
	const at = "response_format.json_schema"
	name := str(js, "name")
	switch {
	case js == nil:
		o.missing(at)
	case name == "":
		o.missing(at + ".name")
	case !isName(name, 64):
		o.badName(at+".name", name)
	case obj(js, "schema") == nil:
		o.missing(at + ".schema")
	}
	if key := unknown(js, "name", "description", "schema", "strict"); key != "" && !o.lax {
		o.fail(at+"."+key, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, key)
	}
	o.ask.Schema = js["schema"]
	if kind := obj(js, "schema")["type"]; kind != "object" && js["strict"] == true {
		o.fail("response_format", "", "Invalid schema for response_format '%s': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"%v\"'.", name, kind)
	}
	if js["strict"] == true {
		if why := strictness(js["schema"], true, false); why != "" {
			o.fail("response_format", "", "Invalid schema for response_format '%s': In context=(), %s", name, why)
		}
	}
}

// model checks what the model itself refuses.
func (o *openaiReader) model() {
	if e := str(o.body, "reasoning_effort"); has(o.body, "reasoning_effort") {
		o.ask.Thinking = e != "none"
		if efforts := []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}; !slices.Contains(efforts, e) {
			o.fail("reasoning_effort", "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", e, strings.Join(efforts, "', '"))
		}
	}
	if o.lax {
		return
	}
	if !openaiReasoning.MatchString(o.ask.Model) || strings.Contains(o.ask.Model, "-chat") {
		if has(o.body, "reasoning_effort") && openaiPlain.MatchString(o.ask.Model) {
			o.fail("reasoning_effort", "unsupported_parameter", "Unsupported parameter: 'reasoning_effort' is not supported with this model.")
		}
		return
	}
	if has(o.body, "max_tokens") {
		o.fail("max_tokens", "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
	}
	for key, only := range map[string]float64{"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0} {
		if has(o.body, key) && number(o.body[key]) != only {
			o.fail(key, "unsupported_value", "Unsupported value: '%s' does not support %v with this model. Only the default (%g) value is supported.", key, o.body[key], only)
		}
	}
	for _, key := range []string{"stop", "logprobs", "top_logprobs", "logit_bias"} {
		if has(o.body, key) && o.body[key] != false {
			o.fail(key, "unsupported_parameter", "Unsupported parameter: '%s' is not supported with this model.", key)
		}
	}
}
