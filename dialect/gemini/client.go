package gemini

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// clientSide is the dialect towards a client.
type clientSide struct{}

var _ dialect.ClientSide = clientSide{}

// DecodeRequest reads a request whose JSON has been checked. The model is what its body says, if it does: the path
// counts.
func (clientSide) DecodeRequest(body []byte) (*llm.Request, error) {
	var d requestReader
	if err := members(jsontext.Value(bytes.TrimSpace(body)), d.member); err != nil {
		return nil, forms.Invalid(err)
	}
	if err := d.check(); err != nil {
		return nil, forms.Invalid(err)
	}
	for i := range d.req.Messages {
		m := &d.req.Messages[i]
		m.Parts = joinThoughts(m.Parts)
	}
	if len(d.system) > 0 {
		lead := llm.Message{Role: llm.RoleSystem, Parts: d.system}
		d.req.Messages = append([]llm.Message{lead}, d.req.Messages...)
	}
	if d.validated && len(d.req.ToolChoice.Names) == 0 {
		d.strictTools()
	}
	d.req.Unread = insides.Unread(body)
	return &d.req, nil
}

// insides is what is read of the objects inside a request that are not kept whole.
var insides = forms.NewOutline(camel, [][2]string{
	{"systemInstruction", "role parts"},
	{"contents[]", "role parts"}, // one may become several messages, and those of results keep nothing
	{"contents[].parts[].inlineData", "mimeType data"},
	{"contents[].parts[].fileData", "mimeType fileUri"},
	{"contents[].parts[].functionCall", "id name args"},
	{"contents[].parts[].functionResponse", "id name response parts"},
	{"contents[].parts[].functionResponse.parts[].inlineData", "mimeType data"},
	{"contents[].parts[].functionResponse.parts[].fileData", "mimeType fileUri"},
	{"generationConfig.responseFormat.text", "mimeType schema"},
}...)

// requestReader fills a request with the members of its body, in whatever order they come.
type requestReader struct {
	req      llm.Request
	system   []llm.Part
	calls    openCalls
	contents bool // there were contents

	// validated is set when the vendor is to hold calls to their schemas.
	validated bool
	// mime and schema are what is said of the form of the answer.
	mime   string
	schema []byte
}

func (d *requestReader) member(key string, v jsontext.Value) (err error) {
	r := &d.req
	switch key {
	case "model":
		r.Model, err = v.Text()
		r.Model = r.Model[strings.LastIndexByte(r.Model, '/')+1:]
	case "contents":
		d.contents = true
		err = each(v, d.content)
	case "systemInstruction":
		err = d.systemInstruction(v)
	case "tools":
		err = each(v, d.tools)
	case "toolConfig":
		err = members(v, d.toolConfig)
	case "generationConfig":
		if err = members(v, d.config); err == nil {
			d.format()
		}
	case "serviceTier":
		if r.Tier, err = v.Text(); r.Tier == "unspecified" {
			r.Tier = ""
		}
	case "safetySettings":
		if isStricter(v) {
			key = "safetySettings[].threshold"
		}
		r.Extra = r.Extra.Add(self, key, clone(v))
	default:
		r.Extra = r.Extra.Add(self, key, clone(v))
	}
	return err
}

// isStricter reports whether safety settings ask for more than what models do of themselves, which is to block nothing
// but what is likely harmful.
func isStricter(v jsontext.Value) bool {
	stricter := false
	_ = each(v, func(v jsontext.Value) error { // what is no list asks for nothing
		switch forms.TextOf(v.Get("threshold")) {
		case "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE":
			stricter = true
		}
		return nil
	})
	return stricter
}

// check refuses what the vendor refuses too.
func (d *requestReader) check() error {
	if !d.contents || len(d.req.Messages) == 0 {
		return jsontext.At("contents", errors.New("contents is not specified"))
	}
	return nil
}

// systemInstruction reads a Content, of which only the texts count.
func (d *requestReader) systemInstruction(v jsontext.Value) error {
	return members(v, func(key string, v jsontext.Value) error {
		if key != "parts" {
			return nil // the role means nothing here
		}
		return each(v, func(v jsontext.Value) error {
			var p piece
			err := p.find(v)
			switch {
			case err != nil:
				return err
			case p.text == nil:
				return errors.New("want text only")
			}
			s, err := p.text.Text()
			d.system = append(d.system, llm.Part{Kind: llm.PartText, Text: s, Extra: p.extra()})
			return err
		})
	})
}

// config reads GenerationConfig.
func (d *requestReader) config(key string, v jsontext.Value) (err error) {
	r := &d.req
	switch key {
	case "maxOutputTokens":
		r.MaxTokens, err = countOf(v)
	case "candidateCount":
		var n *int64
		if n, err = countOf(v); err == nil {
			r.N = int(min(*n, 1<<16))
		}
	case "stopSequences":
		err = each(v, func(v jsontext.Value) error {
			s, err := v.Text()
			r.Stop = append(r.Stop, s)
			return err
		})
	case "responseLogprobs":
		r.LogProbs, err = v.Bool()
	case "logprobs":
		r.TopLogProbs, err = countOf(v)
	case "responseMimeType":
		d.mime, err = v.Text()
	case "responseSchema":
		d.schema, err = openAPISchema(v)
	case "responseJsonSchema":
		d.schema = clone(v)
	case "responseFormat":
		err = d.responseFormat(v)
	case "thinkingConfig":
		err = members(v, d.thinking)
	default:
		err = d.sampling(key, v)
	}
	return err
}

func (d *requestReader) sampling(key string, v jsontext.Value) (err error) {
	r := &d.req
	switch key {
	case "temperature":
		r.Temperature, err = floatOf(v, 0, 2)
	case "topP":
		r.TopP, err = floatOf(v, 0, 1)
	case "topK": // Vertex AI takes a fraction, and means its whole part
		var f *float64
		if f, err = floatOf(v, 0, 1<<31); err == nil {
			k := int64(*f)
			r.TopK = &k
		}
	case "frequencyPenalty":
		r.FrequencyPenalty, err = floatOf(v, -2, 2)
	case "presencePenalty":
		r.PresencePenalty, err = floatOf(v, -2, 2)
	case "seed":
		var n int64
		n, err = v.Int()
		r.Seed = &n
	case "responseModalities":
		if isTextOnly(v) {
			return nil // which it is anyway
		}
		r.Extra = r.Extra.Add(self, "generationConfig."+key, clone(v))
	default:
		r.Extra = r.Extra.Add(self, "generationConfig."+key, clone(v))
	}
	return err
}

// isTextOnly reports whether nothing but text is asked for.
func isTextOnly(v jsontext.Value) bool {
	only := true
	_ = v.Array(func(_ int, v jsontext.Value) error { // what is no array asks for nothing else
		only = only && strings.EqualFold(forms.TextOf(v), "TEXT")
		return nil
	})
	return only
}

// countOf reads an integer that is not negative.
func countOf(v jsontext.Value) (*int64, error) {
	n, err := v.Int()
	if err == nil && n < 0 {
		err = fmt.Errorf("want 0 or more, got %d", n)
	}
	return &n, err
}

// floatOf reads a number from least to most.
func floatOf(v jsontext.Value, least, most float64) (*float64, error) {
	f, err := v.Float()
	if err == nil && (f < least || f > most) {
		err = fmt.Errorf("want %g to %g, got %g", least, most, f)
	}
	return &f, err
}

// responseFormat reads the newer form of what an answer is to be.
func (d *requestReader) responseFormat(v jsontext.Value) error {
	var others jsontext.Writer
	others.BeginObject()
	err := members(v, func(key string, v jsontext.Value) error {
		if key != "text" {
			others.RawField(key, v)
			return nil
		}
		return members(v, func(key string, v jsontext.Value) error {
			switch key {
			case "mimeType":
				if is(v, "APPLICATION_JSON") {
					d.mime = jsonMime
				}
			case "schema":
				d.schema = clone(v)
			}
			return nil
		})
	})
	others.EndObject()
	if rest := others.Bytes(); string(rest) != "{}" {
		d.req.Extra = d.req.Extra.Add(self, "generationConfig.responseFormat", rest)
	}
	return err
}

const jsonMime = "application/json"

// format decides what form the answer is to have. The vendor always enforces a schema, so it is strict.
func (d *requestReader) format() {
	switch {
	case d.mime == jsonMime && jsontext.Value(d.schema).Kind() == jsontext.Object:
		strict := true
		d.req.Format = &llm.Format{Kind: llm.FormatSchema, Schema: d.schema, Strict: &strict}
	case d.mime == jsonMime:
		d.req.Format = &llm.Format{Kind: llm.FormatJSON}
	case d.mime != "" && d.mime != "text/plain": // one of the schema's values, as bare text
		d.req.Extra = d.req.Extra.Add(self, "generationConfig.responseMimeType", jsontext.AppendString(nil, d.mime))
		if d.schema != nil {
			d.req.Extra = d.req.Extra.Add(self, "generationConfig.responseJsonSchema", d.schema)
		}
	}
}

// thinking reads ThinkingConfig.
func (d *requestReader) thinking(key string, v jsontext.Value) error {
	r := d.req.Reasoning
	if r == nil {
		r = &llm.Reasoning{}
		d.req.Reasoning = r
	}
	switch key {
	case "includeThoughts":
		include, err := v.Bool()
		r.Display = "omitted"
		if include {
			r.Display = "summarized"
		}
		return err
	case "thinkingBudget":
		n, err := v.Int()
		switch {
		case n == 0:
			r.Mode = llm.ReasoningOff
		case n < 0:
			r.Mode = llm.ReasoningAdaptive
		default:
			r.Mode, r.Budget = llm.ReasoningBudget, n
		}
		return err
	case "thinkingLevel":
		level, err := v.Text()
		switch level = strings.ToLower(level); level {
		case "minimal", "low", "medium", "high":
			r.Effort = level
		case "thinking_level_unspecified":
		default:
			return fmt.Errorf("want MINIMAL, LOW, MEDIUM or HIGH, got %q", forms.Excerpt(level, 40))
		}
		return err
	default:
		d.req.Extra = d.req.Extra.Add(self, "generationConfig.thinkingConfig."+key, clone(v))
		return nil
	}
}
