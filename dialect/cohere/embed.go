package cohere

import (
	"errors"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
)

// NewEmbed returns the dialect of Cohere's Embed API, version 2: https://docs.cohere.com/v2/reference/embed. Services
// that run the vendor's models take the same bodies.
func NewEmbed() *dialect.Dialect {
	return &dialect.Dialect{
		Name: dialect.CohereEmbed, Operation: dialect.Embed,
		Endpoints:       []dialect.Endpoint{{Method: "POST", Path: "/v2/embed", Operation: dialect.Embed}},
		RequestIDHeader: "X-Debug-Trace-Id",
		RelayHeaders:    []string{"X-Client-Name"},
		Client:          embedClient{},
		Provider:        embedProvider{},
		Relay:           wholeRelay{embedProvider{}},
		Fields:          embedFields(),
		Carries:         embedCarries(),
	}
}

// selfEmbed is the key of this dialect in llm.Extra.
const selfEmbed = string(dialect.CohereEmbed)

var (
	_ dialect.ClientSide   = embedClient{}
	_ dialect.ProviderSide = embedProvider{}
	_ dialect.Relay        = wholeRelay{}
)

// maxInputs is how many texts, or mixed inputs, a call may have [coh:embedv2].
const maxInputs = 96

func embedFields() []dialect.Field {
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "replaced by the target's"},
		{Path: "texts", Feature: llm.FeatureCommon},
		{Path: "images", Feature: llm.FeatureImageData},
		{Path: "inputs", Feature: llm.FeatureJoinedInput},
		{Path: "inputs[].content[].image_url", Feature: llm.FeatureImageURL},
		{Path: "input_type", Feature: llm.FeaturePurpose},
		{Path: "output_dimension", Feature: llm.FeatureDimensions},
		{Path: "embedding_types", Feature: llm.FeatureVectorKinds, Note: "float and base64 are made of each other, exactly"},
		{Path: "truncate", Feature: llm.FeatureTruncate},
		{Path: "max_tokens", Severity: llm.Tuning, Note: "how many tokens of an input count"},
		{Path: "priority", Severity: llm.Harmless, Note: "how early the vendor handles the request"},
	}
}

func embedCarries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	return dialect.Carries{
		llm.FeatureImageData:   mapped,
		llm.FeatureImageURL:    {Action: llm.ActionRefused, Note: "images are taken as data alone"},
		llm.FeatureJoinedInput: mapped,
		llm.FeaturePurpose:     {Action: llm.ActionMapped, Note: "where none is given, search_document is sent and reported"},
		llm.FeatureDimensions:  mapped,
		llm.FeatureVectorKinds: mapped,
		llm.FeatureTruncate:    mapped,
	}
}

// embedClient is the dialect towards a client.
type embedClient struct{ dialect.NoStream }

// EncodeError writes an error as Chat does.
func (embedClient) EncodeError(e *llm.Error, requestID string) (int, []byte) {
	return clientSide{}.EncodeError(e, requestID)
}

// DecodeRequest reads a request.
func (embedClient) DecodeRequest(body []byte) (*llm.Request, error) {
	v := trim(body)
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
		e.Dimensions, err = intBetween(v, 1, 1<<31)
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
		return badAnswer("got no vectors of kind %s", kind)
	}
	w.BeginArray()
	for i, v := range list {
		text, err := write(v.Numbers, v.Packed)
		if err != nil {
			return badAnswer("vector %d: %w", i, err)
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
		return nil, badAnswer("%w", err)
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
		return nil, badAnswer("embeddings: %w", err)
	case len(r.Vectors) == 0:
		return nil, badAnswer("got no vectors")
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
		if n := count(units.Get("input_tokens")) + count(units.Get("image_tokens")); n > 0 {
			return llm.Usage{Known: true, InFresh: n}
		}
	}
	return llm.Usage{}
}

// wholeRelay relays what is never streamed and has nothing of this gateway's in it.
type wholeRelay struct{ provider dialect.ProviderSide }

// Peek reads the model, as Chat does.
func (wholeRelay) Peek(body []byte) (dialect.Peeked, error) {
	p, err := relay{}.Peek(body)
	return dialect.Peeked{Model: p.Model}, err
}

// SetModel replaces the model.
func (wholeRelay) SetModel(body []byte, model string, ask dialect.Ask) ([]byte, error) {
	return relay{}.SetModel(body, model, ask)
}

// Strip returns body.
func (wholeRelay) Strip(body []byte) ([]byte, []llm.Loss, error) { return body, nil, nil }

// NewTap returns a tap that reads an answer as the provider side does.
func (r wholeRelay) NewTap(dialect.Ask) dialect.Tap { return dialect.NewWholeTap(r.provider) }
