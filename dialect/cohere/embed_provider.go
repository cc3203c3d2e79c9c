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

// embedProvider is the dialect towards a provider.
type embedProvider struct{ dialect.NoStream }

// DecodeError classifies an error as Chat does.
func (embedProvider) DecodeError(status int, body []byte) *llm.Error {
	return providerSide{}.DecodeError(status, body)
}

// EncodeRequest writes a request, or several where the vendor takes no more inputs at a time.
func (embedProvider) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	var enc dialect.Encoded
	var losses lossList
	for inputs := range slices.Chunk(req.Embed.Inputs, maxInputs) {
		body, err := encodeEmbed(req, inputs, target.Model, &losses)
		if err != nil {
			return dialect.Encoded{}, err
		}
		if enc.Body == nil {
			enc.Body = body
		} else {
			enc.More = append(enc.More, body)
		}
	}
	enc.Losses = losses
	return enc, nil
}

func encodeEmbed(req *llm.Request, inputs []llm.EmbedInput, model string, losses *lossList) ([]byte, error) {
	e := req.Embed
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("model", model)
	images, err := writeInputs(&w, inputs)
	if err != nil {
		return nil, err
	}
	w.Key("input_type")
	switch {
	case images:
		w.String("image")
	case e.Purpose == llm.PurposeQuery:
		w.String("search_query")
	case e.Purpose == llm.PurposeDocument:
		w.String("search_document")
	case e.Purpose == "":
		w.String("search_document")
		losses.add(llm.FeaturePurpose, llm.ActionApproximated, llm.Tuning, "the vendor wants one, and gets search_document")
	default:
		w.String(string(e.Purpose))
	}
	if e.Dimensions != nil {
		w.IntField("output_dimension", *e.Dimensions)
	}
	w.Key("embedding_types")
	w.BeginArray()
	for _, kind := range sentKinds(e.Kinds) {
		w.String(string(kind))
	}
	w.EndArray()
	if e.Truncate != "" {
		w.StringField("truncate", strings.ToUpper(string(e.Truncate)))
	}
	for _, m := range req.Extra[selfEmbed] {
		if !embedNames.IsVariant(m.Key) {
			w.RawField(m.Key, m.Raw)
		}
	}
	w.EndObject()
	return w.Bytes(), nil
}

// embedNames is never changed.
var embedNames = dialect.NamesOf(embedFields())

// sentKinds is what is asked of the vendor: base64 is made of its numbers here.
func sentKinds(kinds []llm.VectorKind) []llm.VectorKind {
	sent := []llm.VectorKind{}
	for _, kind := range kinds {
		if kind == llm.VectorBase64 {
			kind = llm.VectorFloat
		}
		if !slices.Contains(sent, kind) {
			sent = append(sent, kind)
		}
	}
	if len(sent) == 0 {
		return []llm.VectorKind{llm.VectorFloat}
	}
	return sent
}

// writeInputs writes the inputs in the least form that holds them, and says whether all are images.
func writeInputs(w *jsontext.Writer, inputs []llm.EmbedInput) (images bool, err error) {
	isImage := func(in llm.EmbedInput) bool { return len(in.Parts) == 1 && in.Parts[0].Kind == llm.PartImage }
	images = !slices.ContainsFunc(inputs, func(in llm.EmbedInput) bool { return !isImage(in) })
	texts := isTexts(inputs)
	switch {
	case images:
		w.Key("images")
	case texts:
		w.Key("texts")
	default:
		w.Key("inputs")
	}
	w.BeginArray()
	defer w.EndArray()
	for i := range inputs {
		in := &inputs[i]
		switch {
		case in.Tokens != nil: // the contract refuses it before
			return images, unsupportedInput(llm.FeatureTokenInput)
		case texts:
			w.String(in.Text)
		case images:
			url := imageURL(in.Parts[0].Media)
			if url == "" {
				return images, unsupportedInput(llm.FeatureFileID)
			}
			w.String(url)
		default:
			if err := writeMixed(w, in); err != nil {
				return images, err
			}
		}
	}
	return images, nil
}

func unsupportedInput(f llm.Feature) *llm.Error {
	e := unsupported(f)
	e.Param = "input"
	return e
}

// writeMixed writes [coh:EmbedInput].
func writeMixed(w *jsontext.Writer, in *llm.EmbedInput) error {
	parts := in.Parts
	if parts == nil {
		parts = []llm.Part{llm.Text(in.Text)}
	}
	w.BeginObject()
	w.Key("content")
	w.BeginArray()
	for i := range parts {
		p := &parts[i]
		w.BeginObject()
		switch {
		case p.Kind == llm.PartText:
			w.StringField("type", typeText)
			w.StringField("text", p.Text)
		case p.Kind == llm.PartImage && imageURL(p.Media) != "":
			w.StringField("type", typeImage)
			w.Key("image_url")
			w.BeginObject()
			w.StringField("url", imageURL(p.Media))
			w.EndObject()
		default:
			return unsupportedInput(llm.FeatureVendorPart)
		}
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	return nil
}

// DecodeResponse reads an answer. Its vectors alias body. Without types asked for, older models answer with the vectors
// alone.
func (embedProvider) DecodeResponse(body []byte) (*llm.Response, error) {
	v, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, forms.BadAnswer("%w", err)
	}
	embeddings := v.Get("embeddings")
	if e := inBandError(v); e != nil && embeddings == nil {
		return nil, e
	}
	r := &llm.Response{ID: textOf(v.Get("id")), Usage: embedUsage(v.Get("meta"))}
	if embeddings.Kind() == jsontext.Array {
		err = addVectors(r, llm.VectorFloat, embeddings)
	} else {
		err = embeddings.Object(func(key string, v jsontext.Value) error {
			if v.IsNull() {
				return nil
			}
			return addVectors(r, llm.VectorKind(key), v)
		})
	}
	switch {
	case err != nil:
		return nil, forms.BadAnswer("embeddings: %w", err)
	case len(r.Vectors) == 0:
		return nil, forms.BadAnswer("got no vectors")
	}
	return r, nil
}

// addVectors reads the vectors of one kind.
func addVectors(r *llm.Response, kind llm.VectorKind, v jsontext.Value) error {
	var list []llm.Vector
	err := v.Array(func(_ int, v jsontext.Value) error {
		one := llm.Vector{Numbers: v}
		if v.Kind() == jsontext.String {
			text, err := v.Text()
			if err != nil {
				return err
			}
			packed, err := vector.Decode(text)
			one = llm.Vector{Packed: packed}
			list = append(list, one)
			return err
		}
		if !vector.IsNumbers(v) {
			return errors.New("want an array of numbers")
		}
		list = append(list, one)
		return nil
	})
	if err == nil && len(list) > 0 {
		r.Vectors = append(r.Vectors, llm.Vectors{Kind: kind, List: list})
	}
	return err
}

// embedUsage reads [coh:ApiMeta]. Images are billed in tokens of their own.
func embedUsage(meta jsontext.Value) llm.Usage {
	for _, units := range [...]jsontext.Value{meta.Get("tokens"), meta.Get("billed_units")} {
		if n := forms.Count(units.Get("input_tokens")) + forms.Count(units.Get("image_tokens")); n > 0 {
			return llm.Usage{Known: true, InFresh: n}
		}
	}
	return llm.Usage{}
}
