package cohere

import (
	"errors"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
)

// embedClient is the dialect towards a client.
type embedClient struct{ dialect.NoStream }

// EncodeError writes an error as Chat does.
func (embedClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request.
func (embedClient) DecodeRequest(body []byte) (*llm.Request, error) {
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return nil, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	d := embedDecoder{req: &llm.Request{}, embed: &llm.Embed{}}
	d.req.Embed = d.embed
	if err := v.Object(d.member); err != nil {
		return nil, invalid(err)
	}
	switch {
	case d.forms == 0:
		return nil, llm.Invalid("texts", "invalid request: one of texts, images or inputs is required.")
	case d.forms > 1:
		return nil, llm.Invalid("texts", "invalid request: only one of texts, images and inputs may be given.")
	case len(d.embed.Inputs) == 0:
		return nil, llm.Invalid("texts", "invalid request: at least one input is required.")
	}
	return d.req, nil
}

// embedDecoder reads one request, member by member.
type embedDecoder struct {
	req   *llm.Request
	embed *llm.Embed
	forms int // in how many ways inputs are given
}

func (d *embedDecoder) member(key string, v jsontext.Value) (err error) {
	if v.IsNull() {
		return nil
	}
	e := d.embed
	switch key {
	case "model":
		d.req.Model, err = v.Text()
	case "texts":
		return d.inputs(v, func(v jsontext.Value) (llm.EmbedInput, error) {
			text, err := v.Text()
			return llm.EmbedInput{Text: text}, err
		})
	case "images":
		return d.inputs(v, func(v jsontext.Value) (llm.EmbedInput, error) {
			p, err := imagePart(v)
			return llm.EmbedInput{Parts: []llm.Part{p}}, err
		})
	case "inputs":
		return d.inputs(v, mixedInput)
	case "input_type":
		e.Purpose, err = purposeOf(v)
	case "embedding_types":
		return d.kinds(v)
	case "output_dimension":
		e.Dimensions, err = forms.IntBetween(v, 1, 1<<31)
	case "truncate":
		var word string
		word, err = oneOf(v, "NONE", "START", "END")
		e.Truncate = llm.Truncate(strings.ToLower(word))
	default:
		d.req.Extra = d.req.Extra.Add(selfEmbed, key, v)
	}
	return err
}

// inputs reads a list of inputs, each by one.
func (d *embedDecoder) inputs(v jsontext.Value, one func(jsontext.Value) (llm.EmbedInput, error)) error {
	d.forms++
	return v.Array(func(_ int, v jsontext.Value) error {
		in, err := one(v)
		d.embed.Inputs = append(d.embed.Inputs, in)
		return err
	})
}

// mixedInput reads [coh:EmbedInput].
func mixedInput(v jsontext.Value) (in llm.EmbedInput, err error) {
	err = v.Get("content").Array(func(_ int, v jsontext.Value) error {
		p := llm.Part{Kind: llm.PartText}
		kind, err := oneOf(v.Get("type"), typeText, typeImage)
		switch {
		case err != nil:
			return jsontext.At("type", err)
		case kind == typeText:
			p.Text, err = v.Get("text").Text()
		default:
			p, err = imagePart(v.Get("image_url", "url"))
		}
		in.Parts = append(in.Parts, p)
		return jsontext.At(kind, err)
	})
	if err == nil && len(in.Parts) == 0 {
		err = errors.New("it must not be empty")
	}
	return in, jsontext.At("content", err)
}

func imagePart(v jsontext.Value) (llm.Part, error) {
	url, err := v.Text()
	if err != nil {
		return llm.Part{}, err
	}
	m, err := mediaOf(url)
	return llm.Part{Kind: llm.PartImage, Media: m}, err
}

// The input types [coh:EmbedInputType]; images are seen to be such.
func purposeOf(v jsontext.Value) (llm.Purpose, error) {
	word, err := oneOf(v, "search_document", "search_query", "classification", "clustering", "image")
	switch word {
	case "search_document":
		return llm.PurposeDocument, err
	case "search_query":
		return llm.PurposeQuery, err
	case "image":
		return "", err
	}
	return llm.Purpose(word), err
}

// kinds reads embedding_types [coh:EmbeddingType], whose words are ours.
func (d *embedDecoder) kinds(v jsontext.Value) error {
	return v.Array(func(_ int, v jsontext.Value) error {
		word, err := oneOf(v, "float", "int8", "uint8", "binary", "ubinary", "base64")
		if kind := llm.VectorKind(word); !slices.Contains(d.embed.Kinds, kind) {
			d.embed.Kinds = append(d.embed.Kinds, kind)
		}
		return err
	})
}

// EncodeResponse writes an answer [coh:EmbedByTypeResponse].
func (embedClient) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	var asked llm.Embed
	if r.Asked != nil {
		asked = *r.Asked.Embed
	}
	if len(asked.Kinds) == 0 {
		for _, v := range r.Vectors {
			asked.Kinds = append(asked.Kinds, v.Kind)
		}
		if r.Asked != nil {
			asked.Kinds = []llm.VectorKind{llm.VectorFloat}
		}
	}
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("id", r.ID)
	w.Key("embeddings")
	w.BeginObject()
	for _, kind := range asked.Kinds {
		w.Key(string(kind))
		if err := writeVectors(&w, r, kind); err != nil {
			return nil, nil, err
		}
	}
	w.EndObject()
	writeTexts(&w, asked.Inputs)
	w.Key("meta")
	w.BeginObject()
	w.RawField("api_version", []byte(`{"version":"2"}`))
	if r.Usage.Known {
		w.Key("billed_units")
		w.BeginObject()
		w.IntField("input_tokens", r.Usage.Input())
		w.EndObject()
	}
	w.EndObject()
	w.StringField("response_type", "embeddings_by_type")
	w.EndObject()
	return w.Bytes(), nil, nil
}

// writeVectors writes the vectors of one kind.
func writeVectors(w *jsontext.Writer, r *llm.Response, kind llm.VectorKind) error {
	list, write := r.VectorsOf(), vector.Array
	switch kind {
	case llm.VectorFloat:
	case llm.VectorBase64:
		write = vector.Base64
	default:
		list = nil
		for _, v := range r.Vectors {
			if v.Kind == kind {
				list = v.List
			}
		}
	}
	if len(list) == 0 {
		return forms.BadAnswer("got no vectors of kind %s", kind)
	}
	w.BeginArray()
	for i, v := range list {
		text, err := write(v.Numbers, v.Packed)
		if err != nil {
			return forms.BadAnswer("vector %d: %w", i, err)
		}
		w.Raw(text)
	}
	w.EndArray()
	return nil
}

// writeTexts repeats the inputs, where they are texts.
func writeTexts(w *jsontext.Writer, inputs []llm.EmbedInput) {
	if !isTexts(inputs) {
		return
	}
	w.Key("texts")
	w.BeginArray()
	for i := range inputs {
		w.String(inputs[i].Text)
	}
	w.EndArray()
}

func isTexts(inputs []llm.EmbedInput) bool {
	return !slices.ContainsFunc(inputs, func(in llm.EmbedInput) bool { return in.Tokens != nil || in.Parts != nil })
}
