package anthropic

import (
	"cmp"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// providerSide is the dialect towards a provider.
type providerSide struct{}

var _ dialect.ProviderSide = providerSide{}

const (
	// defaultMaxTokens is what a request without a limit gets where the model's is not known. Every model that the
	// vendor serves today takes it.
	defaultMaxTokens = 32000
	// maxUserID is the limit of metadata.user_id [ant:Metadata.user_id].
	maxUserID = 512
	// maxMarks is how many cache marks a request may have.
	maxMarks = 4
)

// EncodeRequest writes the request for a target.
func (providerSide) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	e := encoder{req: req, to: to}
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
// the order in which the vendor's prompt is put together, so that equal prefixes give equal bytes.
type encoder struct {
	w      jsontext.Writer
	req    *llm.Request
	to     dialect.Target
	losses []llm.Loss
	err    error // the first content found that cannot be sent

	names    forms.Names
	calls    calls
	system   []llm.Part
	turns    []turn
	tools    []llm.Tool
	choice   llm.ToolChoice
	thinking thinking
	limit    int64
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
	w.StringField("model", e.to.Model)
	w.IntField("max_tokens", e.limit)
	e.writeTools()
	e.writeSystem()
	w.Key("messages")
	w.BeginArray()
	for i := range e.turns {
		e.writeTurn(&e.turns[i])
	}
	w.EndArray()
	e.cacheControl(e.req.Cache)
	e.writeThinking()
	e.writeOutputConfig()
	e.writeSampling()
	e.writeMetadata()
	if tier := tierWord(e.req.Tier); tier != "" {
		w.StringField("service_tier", tier)
	} else if e.req.Tier != "" {
		e.lose(llm.FeatureTier, llm.ActionDropped, llm.Harmless, "a tier that the target does not have")
	}
	if e.req.Stream {
		w.BoolField("stream", true)
	}
	if hasExtra(e.req.Extra, "thread.") {
		w.Key("thread")
		w.BeginObject()
		writeExtra(w, e.req.Extra, "thread.")
		w.EndObject()
	}
	writeExtra(w, e.req.Extra, "")
	w.EndObject()
}

// tierWord maps a service tier: both dialects have one for "what is best" and one for "not the paid fast lane".
func tierWord(tier string) string {
	switch tier {
	case "auto", "standard_only":
		return tier
	case "default", "standard":
		return "standard_only"
	}
	return ""
}

func (e *encoder) maxTokens() {
	e.limit = e.to.Facts.MaxOutput
	if e.limit <= 0 {
		e.limit = defaultMaxTokens
	}
	if e.req.MaxTokens == nil {
		return
	}
	asked := *e.req.MaxTokens
	if e.to.Facts.MaxOutput > 0 && asked > e.limit {
		e.lose(llm.FeatureMaxTokens, llm.ActionApproximated, llm.Tuning, "lowered to the model's limit")
		return
	}
	e.limit = asked
}

func (e *encoder) writeSystem() {
	if len(e.system) == 0 {
		return
	}
	e.w.Key("system")
	if len(e.system) == 1 && isPlain(&e.system[0]) {
		e.w.String(e.system[0].Text)
		return
	}
	e.w.BeginArray()
	for i := range e.system {
		e.writePart(&e.system[i])
	}
	e.w.EndArray()
}

func (e *encoder) writeSampling() {
	s := e.sampling()
	if s.temperature != nil {
		e.w.FloatField("temperature", *s.temperature)
	}
	if s.topP != nil {
		e.w.FloatField("top_p", *s.topP)
	}
	if s.topK != nil {
		e.w.IntField("top_k", *s.topK)
	}
	asked, lost := forms.StopsTaken(e.to.Facts, e.req.Stop, 0)
	if lost.Feature != "" {
		e.lose(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	var stops []string
	for _, stop := range asked {
		if strings.TrimSpace(stop) == "" {
			e.lose(llm.FeatureStop, llm.ActionRefused, llm.Contract, "the target refuses stop sequences of white space alone")
			continue
		}
		stops = append(stops, stop)
	}
	if len(stops) > 0 {
		e.w.Key("stop_sequences")
		e.w.BeginArray()
		for _, stop := range stops {
			e.w.String(stop)
		}
		e.w.EndArray()
	}
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
	drop := func(f llm.Feature, isDefault bool, why string) {
		if !isDefault {
			e.lose(f, llm.ActionDropped, llm.Tuning, why)
		}
	}
	if s.temperature != nil && *s.temperature > 1 {
		one := 1.0
		s.temperature = &one
		e.lose(llm.FeatureTemperature, llm.ActionApproximated, llm.Tuning, "lowered to 1, the target's highest")
	}
	isOne := func(f *float64) bool { return f != nil && *f == 1 }
	switch {
	case e.to.Facts.NoSampling:
		const why = "the model takes no sampling parameters"
		if s.temperature != nil {
			drop(llm.FeatureTemperature, isOne(s.temperature), why)
		}
		if s.topP != nil {
			drop(llm.FeatureTopP, isOne(s.topP), why)
		}
		if s.topK != nil {
			drop(llm.FeatureTopK, false, why)
		}
		return sampled{}
	case e.thinking.on():
		const why = "the target does not take it together with thinking"
		if s.temperature != nil {
			drop(llm.FeatureTemperature, isOne(s.temperature), why)
			s.temperature = nil
		}
		if s.topP != nil && *s.topP < 0.95 {
			drop(llm.FeatureTopP, false, why)
			s.topP = nil
		}
		if s.topK != nil {
			drop(llm.FeatureTopK, false, why)
			s.topK = nil
		}
	case s.temperature != nil && s.topP != nil:
		if isOne(s.temperature) && !isOne(s.topP) {
			s.temperature = nil
			break
		}
		drop(llm.FeatureTopP, isOne(s.topP), "the target takes temperature or top_p, not both")
		s.topP = nil
	}
	return s
}

// writeMetadata says who asks. The vendor refuses ids that tell who somebody is
// (https://github.com/BerriAI/litellm/issues/10106), and wants a hash instead.
func (e *encoder) writeMetadata() {
	user := e.req.User
	if len(user) > maxUserID || isPersonal(user) {
		e.lose(llm.FeatureUser, llm.ActionEmulated, llm.Harmless, "an id that is too long, or looks like an address or a telephone number, is sent as its hash")
		user = forms.Hashed(user, 22)
	}
	if user == "" && !hasExtra(e.req.Extra, "metadata.") {
		return
	}
	e.w.Key("metadata")
	e.w.BeginObject()
	if user != "" {
		e.w.StringField("user_id", user)
	}
	writeExtra(&e.w, e.req.Extra, "metadata.")
	e.w.EndObject()
}

// isPersonal reports whether an id looks like an address or a telephone number.
func isPersonal(id string) bool {
	if strings.Contains(id, "@") {
		return true
	}
	digits := 0
	for _, c := range id {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case !strings.ContainsRune("+-() ", c):
			return false
		}
	}
	return digits >= 7
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
	if e.req.Cache != nil {
		n++
	}
	return n
}

// marksOn counts the cache marks on parts that can have one, and on what is inside them.
func marksOn(parts []llm.Part) int {
	n := 0
	for i := range parts {
		p := &parts[i]
		if p.Cache != nil && p.Kind != llm.PartThinking && p.Kind != llm.PartOpaque {
			n++
		}
		if p.Result != nil {
			n += marksOn(p.Result.Parts)
		}
		if p.Document != nil {
			n += marksOn(p.Document.Parts)
		}
	}
	return n
}

func (e *encoder) cacheControl(mark *llm.CacheMark) {
	if mark == nil {
		return
	}
	if e.surplus > 0 {
		e.surplus--
		return
	}
	e.w.Key("cache_control")
	e.w.BeginObject()
	e.w.StringField("type", "ephemeral")
	switch mark.TTL {
	case "5m", "1h":
		e.w.StringField("ttl", mark.TTL)
	case "":
	default:
		e.lose(llm.FeatureCacheMark, llm.ActionApproximated, llm.Harmless, "a lifetime that the target does not have")
	}
	e.w.EndObject()
}

// DecodeResponse reads the body of a successful answer.
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	doc, m, err := readMessage(tree, body)
	if err != nil {
		return nil, err
	}
	resp := &llm.Response{ID: forms.TextOf(doc.Get("id").Value()), Model: forms.TextOf(m.model)}
	parts, err := readBlocks(m.content.Value())
	if err != nil {
		return nil, badAnswer("its content is not what it should be", err)
	}
	if len(parts) == 0 && m.reason.IsNull() {
		return nil, badAnswer("it is empty and has no stop reason", nil)
	}
	hasCall := false
	for i := range parts {
		if call := parts[i].Call; call != nil {
			hasCall = true
			call.ID = mintID(call.ID, resp.ID, i)
			call.Args = forms.OrEmptyObject(call.Args)
		}
	}
	n := noCounts()
	tier := n.merge(m.usage)
	resp.Usage = n.usage()
	resp.Tier = cmp.Or(tier, forms.TextOf(m.usage.Get("service_tier").Value()))
	resp.Extra = keepStop(nil, doc)
	resp.Choices = []llm.Choice{{Parts: parts, Stop: forms.Agree(readStop(doc), hasCall)}}
	return resp, nil
}

// mintID makes an id for a call that came without.
func mintID(id, response string, index int) string {
	if id != "" {
		return id
	}
	return callPrefix + forms.Hashed(response+"/"+string(jsontext.AppendInt(nil, int64(index))), 22)
}

// isPlain reports whether a part is text and nothing else.
func isPlain(p *llm.Part) bool {
	return p.Kind == llm.PartText && p.Cache == nil && len(p.Citations) == 0 && len(p.Extra[issuer]) == 0
}

// messageText is where a whole answer says what.
type messageText struct {
	kind, fault, model, reason jsontext.Value

	content, usage jsontext.Node
}

func (m *messageText) member(name []byte, n jsontext.Node) {
	switch string(name) {
	case "type":
		m.kind = n.Value()
	case "error":
		m.fault = n.Value()
	case "model":
		m.model = n.Value()
	case "stop_reason":
		m.reason = n.Value()
	case "content":
		m.content = n
	case "usage":
		m.usage = n
	}
}

// readMessage reads the top of an answer's body, and throws the error that it may hold instead.
func readMessage(tree *jsontext.Tree, body []byte) (doc jsontext.Node, m messageText, err error) {
	if doc, err = tree.ParseLenient(body); err != nil {
		return doc, m, badAnswer("it is not JSON", err)
	}
	doc.Each(m.member)
	switch {
	case is(m.kind, "error"), m.kind.IsNull() && !m.fault.IsNull():
		return doc, m, readError(0, doc.Value())
	case m.content.Kind() != jsontext.Array:
		return doc, m, badAnswer("it has no content", nil)
	}
	return doc, m, nil
}
