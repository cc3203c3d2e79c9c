package bedrock

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// providerSide is the dialect towards a provider.
type providerSide struct{}

var _ dialect.ProviderSide = providerSide{}

// maxMarks is how many cache points a request may have.
const maxMarks = 4

// EncodeRequest writes the request for a target. Its model goes into the path.
func (providerSide) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	e := encoder{req: req, to: to, family: familyOf(to.Model)}
	if err := e.prepare(); err != nil {
		return dialect.Encoded{}, err
	}
	e.w.Reset(make([]byte, 0, e.sizeHint()))
	e.body()
	if e.err != nil {
		return dialect.Encoded{}, e.err
	}
	return dialect.Encoded{Body: e.w.Bytes(), Losses: e.losses, ToolNames: e.names.Client()}, nil
}

// encoder writes one request: what depends on the whole of it is decided first, then the members are written in
// the order in which the prompt is put together, so that equal prefixes give equal bytes.
type encoder struct {
	w      jsontext.Writer
	req    *llm.Request
	to     dialect.Target
	family family
	losses []llm.Loss
	err    error // the first content found that cannot be sent

	names     forms.Names
	calls     calls
	documents dialect.Unused // the names of documents that are taken
	system    []llm.Part
	turns     []turn
	tools     []llm.Tool
	choice    llm.ToolChoice
	thinking  thinking
	limit     int64 // 0 for none
	// surplus is how many more cache marks to leave out; the first go first.
	surplus int
}

func (e *encoder) prepare() error {
	e.names = newNames(append(forms.ToolNamesOf(e.req.Tools, e.req.Messages), e.req.ToolChoice.Names...))
	if e.names.Changed() {
		e.lose("tool_name", llm.ActionRepaired, llm.Harmless, "characters or length that the target does not take")
	}
	if err := e.arrange(); err != nil {
		return err
	}
	e.chooseTools()
	e.maxTokens()
	e.think()
	e.surplus = max(e.marks()-maxMarks, 0)
	if e.surplus > 0 {
		e.lose(llm.FeatureCacheMark, llm.ActionDropped, llm.Harmless, "more than four marks; the last ones are kept")
	}
	return nil
}

// lose reports a loss, each feature and action once.
func (e *encoder) lose(f llm.Feature, action llm.Action, severity llm.Severity, detail string) {
	for _, l := range e.losses {
		if l.Feature == f && l.Action == action {
			return
		}
	}
	e.losses = append(e.losses, llm.Loss{Feature: f, Action: action, Severity: severity, Detail: detail})
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) sizeHint() int {
	n := 512
	for _, t := range e.tools {
		n += 256 + len(t.Schema) + len(t.Description)
	}
	for i := range e.req.Messages {
		for j := range e.req.Messages[i].Parts {
			p := &e.req.Messages[i].Parts[j]
			n += 64 + len(p.Text)
			if p.Media != nil {
				n += len(p.Media.Data)
			}
		}
	}
	return n
}

func (e *encoder) body() {
	w := &e.w
	w.BeginObject()
	e.writeTools()
	if len(e.system) > 0 {
		w.Key("system")
		w.BeginArray()
		for i := range e.system {
			e.writePart(&e.system[i])
		}
		w.EndArray()
	}
	w.Key("messages")
	w.BeginArray()
	for i := range e.turns {
		e.writeTurn(&e.turns[i])
	}
	w.EndArray()
	sampling := e.sampling()
	e.writeInference(sampling)
	e.writeOutputConfig()
	e.writeAdditional(sampling.topK)
	e.writeTier()
	e.writeLabels()
	writeExtra(w, e.req.Extra, "")
	w.EndObject()
}

// writeTier writes the service tier, for which the dialects' words are mostly the same [bed:ServiceTierType].
func (e *encoder) writeTier() {
	tier := e.req.Tier
	switch tier {
	case "priority", "default", "flex", "reserved":
	case "standard", "standard_only":
		tier = "default"
	case "fast": // OpenAI's other word
		tier = "priority"
	case "":
	case "auto":
		e.lose(llm.FeatureTier, llm.ActionEmulated, llm.Harmless, "left to the target, as it is where nothing is said")
		tier = ""
	default:
		e.lose(llm.FeatureTier, llm.ActionDropped, llm.Harmless, "a tier that the target does not have")
		tier = ""
	}
	if tier == "" && !hasExtra(e.req.Extra, "serviceTier.") {
		return
	}
	w := &e.w
	w.Key("serviceTier")
	w.BeginObject()
	if tier != "" {
		w.StringField("type", tier)
	}
	writeExtra(w, e.req.Extra, "serviceTier.")
	w.EndObject()
}

// writeLabels writes the labels that the target takes [bed:RequestMetadata].
func (e *encoder) writeLabels() {
	limits := forms.LabelLimits{Most: 16, Key: 256, Value: 256, Takes: isOfLabel}
	labels, cut := limits.Fit(e.req.Metadata)
	if cut {
		e.lose(llm.FeatureMetadata, llm.ActionDropped, llm.Harmless,
			"labels above the target's limits: 16 of them, 256 characters, letters, digits, spaces and some marks")
	}
	forms.WriteLabels(&e.w, "requestMetadata", labels)
}

// isOfLabel reports whether a label may have the character [bed:RequestMetadataKeyString].
func isOfLabel(c rune) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.ContainsRune(" \t\n\v\f\r:_@$#=/+,-.", c)
}

// maxTokens leaves out a limit that the client did not set: the model's own holds then.
func (e *encoder) maxTokens() {
	if e.req.MaxTokens == nil {
		return
	}
	e.limit = max(*e.req.MaxTokens, 1)
	if most := e.to.Facts.MaxOutput; most > 0 && e.limit > most {
		e.limit = most
		e.lose(llm.FeatureMaxTokens, llm.ActionApproximated, llm.Tuning, "lowered to the model's limit")
	}
}

func (e *encoder) writeInference(s sampled) {
	asked, lost := forms.StopsTaken(e.to.Facts, e.req.Stop, 0)
	if lost.Feature != "" {
		e.lose(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	var stops []string
	for _, stop := range asked {
		if strings.TrimSpace(stop) == "" && (stop == "" || e.isClaude()) {
			e.lose(llm.FeatureStop, llm.ActionRefused, llm.Contract, "the target refuses stop sequences of white space alone")
			continue
		}
		stops = append(stops, stop)
	}
	if e.limit == 0 && s.temperature == nil && s.topP == nil && len(stops) == 0 && !hasExtra(e.req.Extra, inferenceConfig+".") {
		return
	}
	w := &e.w
	w.Key(inferenceConfig)
	w.BeginObject()
	if e.limit > 0 {
		w.IntField("maxTokens", e.limit)
	}
	if s.temperature != nil {
		w.FloatField("temperature", *s.temperature)
	}
	if s.topP != nil {
		w.FloatField("topP", *s.topP)
	}
	if len(stops) > 0 {
		w.Key("stopSequences")
		w.BeginArray()
		for _, stop := range stops {
			w.String(stop)
		}
		w.EndArray()
	}
	writeExtra(w, e.req.Extra, inferenceConfig+".")
	w.EndObject()
}

// sampled holds the sampling parameters that are sent.
type sampled struct {
	temperature, topP *float64
	topK              *int64
}

// sampling leaves out what the model refuses. A value that is the default changes nothing and is left out in
// silence where it is in the way.
func (e *encoder) sampling() sampled {
	s := sampled{e.req.Temperature, e.req.TopP, e.req.TopK}
	if s.temperature != nil && *s.temperature > 1 {
		one := 1.0
		s.temperature = &one
		e.lose(llm.FeatureTemperature, llm.ActionApproximated, llm.Tuning, "lowered to 1, the target's highest")
	}
	if s.topK != nil && e.topKMember() == "" {
		e.lose(llm.FeatureTopK, llm.ActionDropped, llm.Tuning, "the model has none")
		s.topK = nil
	}
	switch {
	case e.to.Facts.NoSampling:
		const why = "the model takes no sampling parameters"
		e.dropFloat(&s.temperature, llm.FeatureTemperature, why)
		e.dropFloat(&s.topP, llm.FeatureTopP, why)
		e.dropTopK(&s, why)
	case !e.isClaude():
	case e.thinking.on():
		const why = "the model does not take it together with thinking"
		e.dropFloat(&s.temperature, llm.FeatureTemperature, why)
		if s.topP != nil && *s.topP < 0.95 {
			e.dropFloat(&s.topP, llm.FeatureTopP, why)
		}
		e.dropTopK(&s, why)
	case s.temperature != nil && s.topP != nil:
		if *s.temperature == 1 && *s.topP != 1 {
			s.temperature = nil
			break
		}
		e.dropFloat(&s.topP, llm.FeatureTopP, "the model takes temperature or top_p, not both")
	}
	return s
}

// dropFloat leaves a parameter out and reports that, unless it is 1: temperature and top_p are 1 by default.
func (e *encoder) dropFloat(p **float64, f llm.Feature, why string) {
	if *p != nil && **p != 1 {
		e.lose(f, llm.ActionDropped, llm.Tuning, why)
	}
	*p = nil
}

func (e *encoder) dropTopK(s *sampled, why string) {
	if s.topK != nil {
		e.lose(llm.FeatureTopK, llm.ActionDropped, llm.Tuning, why)
	}
	s.topK = nil
}

// topKMember is what the model calls top-k sampling; empty for one that has none.
func (e *encoder) topKMember() string {
	switch e.family {
	case unknown, claude, mistral, qwen:
		return "top_k"
	case nova:
		return "topK"
	case command:
		return "k"
	default:
		return ""
	}
}

// writeAdditional writes the parameters that only the maker's models have.
func (e *encoder) writeAdditional(topK *int64) {
	const prefix = additionalFields + "."
	if topK == nil && e.thinking.member == "" && !hasExtra(e.req.Extra, prefix) {
		return
	}
	w := &e.w
	w.Key(additionalFields)
	w.BeginObject()
	e.writeThinking()
	nested := prefix + inferenceConfig + "."
	switch {
	case e.family == nova && (topK != nil || hasExtra(e.req.Extra, nested)):
		w.Key(inferenceConfig)
		w.BeginObject()
		if topK != nil {
			w.IntField("topK", *topK)
		}
		writeExtra(w, e.req.Extra, nested)
		w.EndObject()
	case topK != nil:
		w.IntField(e.topKMember(), *topK)
	}
	writeExtra(w, e.req.Extra, prefix)
	w.EndObject()
}

// marks counts the cache marks of what will be sent.
func (e *encoder) marks() int {
	n := marksOn(e.system)
	for i := range e.tools {
		if e.tools[i].Cache != nil {
			n++
		}
	}
	for i := range e.turns {
		n += marksOn(e.turns[i].results) + marksOn(e.turns[i].parts)
	}
	return n
}

func marksOn(parts []llm.Part) int {
	n := 0
	for i := range parts {
		if parts[i].Cache != nil {
			n++
		}
	}
	return n
}

// cachePoint writes a cache point, as a block of its own behind what it marks.
func (e *encoder) cachePoint(mark *llm.CacheMark) {
	if mark == nil {
		return
	}
	if e.surplus > 0 {
		e.surplus--
		return
	}
	if e.family != nova && !e.isClaude() {
		e.lose(llm.FeatureCacheMark, llm.ActionDropped, llm.Harmless, "the model has no prompt cache")
		return
	}
	w := &e.w
	w.BeginObject()
	w.Key("cachePoint")
	w.BeginObject()
	w.StringField("type", "default")
	switch mark.TTL {
	case "5m", "1h":
		w.StringField("ttl", mark.TTL)
	case "":
	default:
		e.lose(llm.FeatureCacheMark, llm.ActionApproximated, llm.Harmless, "a lifetime that the target does not have")
	}
	w.EndObject()
	w.EndObject()
}

// DecodeResponse reads the body of a successful answer.
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	doc, err := tree.ParseLenient(body)
	if err != nil {
		return nil, badAnswer("it is not JSON", err)
	}
	a, err := readAnswer(doc)
	if err != nil {
		return nil, err
	}
	var parts []llm.Part
	hasCall := false
	err = a.content.Array(func(i int, n jsontext.Node) error {
		block := n.Value()
		key, member, err := onlyIn(n)
		if err != nil {
			return err
		}
		p, err := readBlock(key, member, block)
		if err != nil || isNothing(&p) {
			return jsontext.At(key, err)
		}
		if p.Call != nil {
			hasCall = true
			p.Call.ID = mintID(p.Call.ID, i)
			p.Call.Args = forms.OrEmptyObject(p.Call.Args)
		}
		if p.Kind == llm.PartToolResult { // of a tool that the vendor ran
			p = opaqueBlock(key, member, block)
		}
		parts = append(parts, p)
		return nil
	})
	if err != nil {
		return nil, badAnswer("its content is not what it should be", err)
	}
	resp := &llm.Response{Tier: forms.TextOf(a.tier.Get("type").Value()), Usage: readUsage(a.usage)}
	resp.Extra = keep(nil, doc, "additionalModelResponseFields", "metrics", "trace", "performanceConfig")
	resp.Choices = []llm.Choice{{Parts: parts, Stop: forms.Agree(readStop(doc), hasCall)}}
	return resp, nil
}

// answerText is where a whole answer says what.
type answerText struct{ output, content, reason, usage, tier jsontext.Node }

func (a *answerText) member(name []byte, n jsontext.Node) {
	switch string(name) {
	case "output":
		a.output = n
	case "stopReason":
		a.reason = n
	case "usage":
		a.usage = n
	case "serviceTier":
		a.tier = n
	}
}

// readAnswer reads the top of a whole answer, or the error that the body is instead.
func readAnswer(doc jsontext.Node) (a answerText, err error) {
	doc.Each(a.member)
	a.content = a.output.Get("message").Get("content")
	switch {
	case a.content.Kind() == jsontext.Array:
	case a.output.IsNull() && (!doc.Get("message").IsNull() || !doc.Get(dialect.ExceptionMember).IsNull()):
		return a, readError(0, "", doc.Value())
	default:
		return a, badAnswer("it has no output", nil)
	}
	if string(a.content.Value()) == "[]" && a.reason.IsNull() {
		return a, badAnswer("it is empty and has no stop reason", nil)
	}
	return a, nil
}

// isNothing reports whether a part of an answer holds nothing at all.
func isNothing(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartText:
		return p.Text == ""
	case llm.PartThinking:
		return p.Text == "" && p.Thinking.Signature == "" && p.Thinking.Sealed == ""
	default:
		return false
	}
}

// mintID makes an id for a call that came without.
func mintID(id string, index int) string {
	if id != "" {
		return id
	}
	return callPrefix + forms.Hashed(string(jsontext.AppendInt(nil, int64(index))), 22)
}
