// Package provider knows who runs models: the facts of each service, one folder
// with a provider.yaml and mostly a models.yaml each, and the rules by which a
// user's config builds on them. It loads, checks and renews facts; it sends nothing.
package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// Facts is what is true of a service for everybody: the content of a provider.yaml,
// and of models.yaml the models. The same keys work in a user's config.
type Facts struct {
	Name string `yaml:"name"` // the service's own, for people
	// Vendor is the service's name in OpenTelemetry's conventions (gen_ai.provider.name), the service's ID where they have
	// none.
	Vendor  string `yaml:"vendor"`
	Docs    string `yaml:"docs"`    // address of the API's documentation
	Checked string `yaml:"checked"` // date when someone last read it
	KeyEnv  string `yaml:"key_env"` // environment variable that usually holds the key
	// Auth names how the service is shown who asks: bearer, x-api-key, x-goog-api-key or
	// api-key for a key, aws for a signature, entra or google for a token, none. Scope is what
	// a token is asked for, or the service that a signature is for.
	Auth  string `yaml:"auth"`
	Scope string `yaml:"scope"`
	// BaseURL may have holes: "{region}" and "{project}" are filled with Region and
	// Project, any other name in braces says that everybody has an address of their own.
	BaseURL string `yaml:"base_url"`
	Region  string `yaml:"region"`  // of a cloud
	Project string `yaml:"project"` // the user's, at a cloud
	// Dialects maps what the service speaks to the path under BaseURL, in which
	// "{model}" stands for the model's name, with a query if there must be one.
	Dialects map[dialect.Name]string `yaml:"dialects"`
	// Streams are the paths of streamed answers where they differ; Framings how their
	// events are told apart, where not as the dialect has it.
	Streams  map[dialect.Name]string          `yaml:"streams"`
	Framings map[dialect.Name]dialect.Framing `yaml:"framings"`
	// Prefer is the dialect in which a client of none of these is served; the first of
	// dialect.All that the service speaks, if empty.
	Prefer dialect.Name `yaml:"prefer"`
	// Only names the models that a dialect is spoken about, where the service does not
	// speak it about all: patterns, in which "*" stands for anything. One that begins with
	// "!" takes models away, from all if it is the first; the last that fits counts.
	Only map[dialect.Name][]string `yaml:"only"`
	// Bare are beginnings of models' names that are left out in the path of a dialect: it is spoken about
	// the model behind them.
	Bare map[dialect.Name][]string `yaml:"bare"`
	// Relays lists the operations that the service serves in a dialect's API as that has
	// them, at paths beside the dialect's own: images, files and others that nobody
	// translates.
	Relays map[dialect.Name][]dialect.Operation `yaml:"relays"`
	// ModelsPath lists the service's models, under BaseURL or, as a whole address, at
	// another host of the service's; used by check --live.
	ModelsPath string                 `yaml:"models_path"`
	Headers    map[string]string      `yaml:"headers"` // sent where the client's request has none of the name
	Edits      map[dialect.Name]Edits `yaml:"edits"`
	Errors     []ErrorRule            `yaml:"errors"`
	// ServiceTiers are what calls at a tier of the service (flex, priority) cost, as a multiple of a model's price, where
	// that does not say itself.
	ServiceTiers map[string]float64 `yaml:"service_tiers"`
	Models       []Model            `yaml:"models"`
}

// Edits change a request on its way to a service that is not quite like its
// dialect says. Paths are dotted, "[]" stands for every element. There are no
// conditions: a service that needs some needs a dialect of its own.
type Edits struct {
	Drop   []string           `yaml:"drop"`   // paths of what the service refuses, or says that it ignores
	Rename map[string]string  `yaml:"rename"` // path to the new last name
	Set    map[string]any     `yaml:"set"`    // path to the value it has from then on
	Cap    map[string]float64 `yaml:"cap"`    // path to the largest number there may be
	// FromHeader sets members to lists of what the headers of a relayed request say, for
	// services that take no headers: path to the header's name.
	FromHeader map[string]string `yaml:"from_header"`
	// Map is path to words, each with the service's own word for it.
	Map map[string]map[string]string `yaml:"map"`
}

// IsZero reports whether there is nothing to edit.
func (e Edits) IsZero() bool {
	return len(e.Drop) == 0 && len(e.Rename) == 0 && len(e.Set) == 0 && len(e.Cap) == 0 && len(e.FromHeader) == 0 && len(e.Map) == 0
}

// ErrorRule classifies an error that the dialect alone would class otherwise.
// All fields set must match.
type ErrorRule struct {
	Status int    `yaml:"status"` // of the answer
	Type   string `yaml:"type"`   // the vendor's error type, whole
	Code   string `yaml:"code"`   // the vendor's error code, whole
	// Prefix is how the message begins; for vendors whose codes do not tell. A
	// message may quote the user's text, so it is never searched.
	Prefix string   `yaml:"message_prefix"`
	Class  llm.Code `yaml:"class"` // what the error is: a code of docs/errors.md
}

// Matches reports whether the rule applies to what a vendor answered.
func (r ErrorRule) Matches(e *llm.Error, vendorMessage string) bool {
	return (r.Status == 0 || r.Status == e.Status) &&
		(r.Type == "" || r.Type == e.Type) &&
		(r.Code == "" || r.Code == e.VendorCode) &&
		(r.Prefix == "" || strings.HasPrefix(vendorMessage, r.Prefix))
}

// Speaks reports whether the service speaks dialect d about a model.
func (f *Facts) Speaks(d dialect.Name, model string) bool {
	if _, spoken := f.Dialects[d]; !spoken {
		return false
	}
	spoken := true
	for i, pattern := range f.Only[d] {
		but, isBut := strings.CutPrefix(pattern, "!")
		if i == 0 {
			spoken = isBut
		}
		if matches(but, model) {
			spoken = !isBut
		}
	}
	return spoken
}

// bare is a model's name as a dialect's path has it.
func (f *Facts) bare(d dialect.Name, model string) string {
	for _, beginning := range f.Bare[d] {
		if rest, ok := strings.CutPrefix(model, beginning); ok {
			return rest
		}
	}
	return model
}

// matches reports whether name fits a pattern, in which "*" stands for anything,
// slashes included: names of models have them.
func matches(pattern, name string) bool {
	head, rest, more := strings.Cut(pattern, "*")
	if !more {
		return name == pattern
	}
	name, ok := strings.CutPrefix(name, head)
	for ok && more {
		if head, rest, more = strings.Cut(rest, "*"); !more {
			return strings.HasSuffix(name, head)
		}
		_, name, ok = strings.Cut(name, head)
	}
	return false
}

// Model is one model of a service. What is absent is not known.
type Model struct {
	ID string `yaml:"id"` // what the service calls it
	// SameAs names the model it is, whoever serves it, as vendor/id; its own provider/id if empty.
	SameAs string `yaml:"same_as"`
	// Operation is what the model is for: "embed" or "rerank"; "generate" if empty.
	Operation dialect.Operation `yaml:"operation"`
	// Dimensions is how many a vector of an embedding model has if nobody asks for fewer.
	Dimensions int64      `yaml:"dimensions"`
	Window     int64      `yaml:"context"`    // tokens of prompt and answer together
	MaxInput   int64      `yaml:"max_input"`  // tokens, where a prompt may not fill the window
	MaxOutput  int64      `yaml:"max_output"` // tokens of an answer
	Modalities Modalities `yaml:"modalities"`
	Price      *Price     `yaml:"price"`
	Released   string     `yaml:"released"` // YYYY-MM-DD, or YYYY-MM
	Retires    string     `yaml:"retires"`  // YYYY-MM-DD, or YYYY-MM; when the service says it ends
	Status     string     `yaml:"status"`   // "beta" or "deprecated"
	// Tools, ParallelTools and Structured say whether tools, several calls in a turn and
	// a JSON schema for the answer are taken.
	Tools         *bool `yaml:"tools"`
	ParallelTools *bool `yaml:"parallel_tools"`
	Structured    *bool `yaml:"structured"`
	// NoSampling: temperature, top_p and top_k are refused.
	NoSampling bool                `yaml:"no_sampling"`
	NoStop     bool                `yaml:"no_stop"`    // stop sequences are refused
	Prefill    bool                `yaml:"prefill"`    // it goes on with an assistant's message that comes last
	MidSystem  bool                `yaml:"mid_system"` // system messages may come later than first
	Thinking   llm.ThinkingControl `yaml:"thinking"`   // how it is asked for: none, effort, budget, adaptive, both, toggle or always
	// Efforts are the words that the model takes for how hard to think: some of none, minimal, low, medium, high, xhigh and max.
	Efforts []string `yaml:"efforts"`
	// Assumed is set for a model of a service whose API a server of the user's has:
	// the facts hold if the server has the model, too, which is not known, so that
	// nobody is offered it. It is in no file.
	Assumed bool `yaml:"-"`
}

// Modalities are what a model takes and gives: "text", "image", "pdf", "audio",
// "video".
type Modalities struct {
	Input  []string `yaml:"input"`  // what it takes
	Output []string `yaml:"output"` // what it gives
}

// Price is in USD per million tokens.
type Price struct {
	Input        float64 `yaml:"input" json:"input"`                             // of a prompt's tokens
	Output       float64 `yaml:"output" json:"output"`                           // of an answer's
	CacheRead    float64 `yaml:"cache_read" json:"cache_read,omitempty"`         // of a prompt's that the vendor's cache had
	CacheWrite   float64 `yaml:"cache_write" json:"cache_write,omitempty"`       // of a prompt's that it was given to keep
	CacheWrite1h float64 `yaml:"cache_write_1h" json:"cache_write_1h,omitempty"` // kept for an hour
	Reasoning    float64 `yaml:"reasoning" json:"reasoning,omitempty"`           // of the output, where it differs
	AudioInput   float64 `yaml:"audio_input" json:"audio_input,omitempty"`       // of what of the prompt is sound
	AudioOutput  float64 `yaml:"audio_output" json:"audio_output,omitempty"`     // of what of the answer is
	// Tiers are the prices of calls with longer prompts, shortest first. The last one
	// that a prompt is above holds for all of the call.
	Tiers []Tier `yaml:"tiers" json:"tiers,omitempty"`
	// ServiceTiers are the prices of calls at a tier of the vendor's service.
	ServiceTiers []ServiceTier `yaml:"service_tiers" json:"service_tiers,omitempty"`
}

// Tier is the price of calls whose prompts have more than Above tokens. What it does
// not say is as in the Price.
type Tier struct {
	Above      int64   `yaml:"above" json:"above"`                       // tokens of a prompt
	Input      float64 `yaml:"input" json:"input"`                       // as a price's
	Output     float64 `yaml:"output" json:"output"`                     // likewise
	CacheRead  float64 `yaml:"cache_read" json:"cache_read,omitempty"`   // likewise
	CacheWrite float64 `yaml:"cache_write" json:"cache_write,omitempty"` // likewise
}

// ServiceTier is the price of calls that are served at a tier of the vendor's service. Either it is so many times the
// Price, or what it says; what it does not say of a cache or of sound costs what its other tokens do. Above the steps of
// the Price it is no cheaper than these.
type ServiceTier struct {
	Name         string  `yaml:"name" json:"name"`                               // the vendor's word: flex, priority
	Times        float64 `yaml:"times" json:"times,omitempty"`                   // as dear as the Price, in the place of all below
	Input        float64 `yaml:"input" json:"input,omitempty"`                   // as a price's
	Output       float64 `yaml:"output" json:"output,omitempty"`                 // likewise
	CacheRead    float64 `yaml:"cache_read" json:"cache_read,omitempty"`         // likewise
	CacheWrite   float64 `yaml:"cache_write" json:"cache_write,omitempty"`       // likewise
	CacheWrite1h float64 `yaml:"cache_write_1h" json:"cache_write_1h,omitempty"` // likewise
	AudioInput   float64 `yaml:"audio_input" json:"audio_input,omitempty"`       // likewise
	AudioOutput  float64 `yaml:"audio_output" json:"audio_output,omitempty"`     // likewise
}

// Identity names the model, whoever serves it, for comparing models of two services:
// service is the one whose facts apply, empty if it is none of the known. A name of the
// form owner/model is taken for the owner's. It is empty if nobody can tell.
func (m Model) Identity(service string) string {
	switch {
	case m.SameAs != "":
		return strings.ToLower(m.SameAs)
	case strings.Contains(m.ID, "/"):
		return strings.ToLower(m.ID)
	case service != "":
		return strings.ToLower(service + "/" + m.ID)
	}
	return ""
}

// Facts returns what codecs need to know of the model.
func (m Model) Facts() llm.ModelFacts {
	return llm.ModelFacts{
		Window: m.Window, MaxOutput: m.MaxOutput, NoSampling: m.NoSampling, NoStop: m.NoStop,
		Prefill: m.Prefill, MidSystem: m.MidSystem, Thinking: m.Thinking, Efforts: llm.EffortsOf(m.Efforts),
	}
}

// Provider is a service as this gateway uses it: facts, and a name and key of
// the user's.
type Provider struct {
	ID    string // the name in the config
	Facts Facts
	Key   Secret
	// Keys is the same service once with each of the user's keys, this one among them, where there
	// are several; Slot is its place there, and Weight how often its key is used, compared to the others.
	Keys   []*Provider
	Slot   int
	Weight float64
	// Private allows connections to loopback and private addresses, because the
	// config's base_url names one.
	Private bool
	// Concurrency is how many requests may run at a time; 0 if there is no limit.
	Concurrency int
	// ServiceTier is the tier at which it answers requests that ask for none; empty for the usual one.
	ServiceTier string
	// Traced says that it is told which trace a request belongs to.
	Traced bool
	// Tags are what the user says of the provider: where it is, what it does with data.
	Tags []string
}

// URL is where the provider speaks dialect d about a model.
func (p *Provider) URL(d dialect.Name, model string, stream bool) (string, bool) {
	if !p.Facts.Speaks(d, model) {
		return "", false
	}
	path := p.Facts.Dialects[d]
	if streamed, differs := p.Facts.Streams[d]; stream && differs {
		path = streamed
	}
	if strings.Contains(path, modelHole) {
		if climbs(model) {
			return "", false
		}
		path = strings.Replace(path, modelHole, EscapeModel(p.Facts.bare(d, model)), 1)
	}
	return joinURL(p.Facts.BaseURL, path), true
}

// Relays reports whether the provider serves an operation in a dialect's API.
func (p *Provider) Relays(d dialect.Name, o dialect.Operation) bool {
	return slices.Contains(p.Facts.Relays[d], o)
}

// RelayURL is where the provider serves what dialect d's own vendor serves at a path, beside
// its requests at own: both begin with a version, which the provider may have something else
// for, with the model in it. A request that names no model goes to the place above.
func (p *Provider) RelayURL(d dialect.Name, own, path, model string) (string, bool) {
	if climbs(model) {
		return "", false
	}
	spoken, query, hasQuery := strings.Cut(p.Facts.Dialects[d], "?")
	root, ok := strings.CutSuffix(spoken, unversioned(own))
	if !ok || own == "" {
		return joinURL(p.Facts.BaseURL, path), true
	}
	switch at := strings.Index(root, modelHole); {
	case at < 0:
	case model == "":
		root = root[:strings.LastIndexByte(strings.TrimSuffix(root[:at], "/"), '/')]
	default:
		root = strings.Replace(root, modelHole, EscapeModel(model), 1)
	}
	address := joinURL(p.Facts.BaseURL, root+unversioned(path))
	if hasQuery {
		address += "?" + query
	}
	return address, true
}

// unversioned is a path without its first step.
func unversioned(path string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + rest
}

// modelHole is where the model's name stands in a path.
const modelHole = "{model}"

// climbs reports whether a name would lead out of its place in a path. A client chooses
// it, and servers take steps upward even where they are escaped.
func climbs(name string) bool {
	steps := strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' })
	return slices.Contains(steps, ".") || slices.Contains(steps, "..")
}

// EscapeModel escapes a model's name for one segment of a path: everything that is
// not unreserved (RFC 3986 section 2.3), since Bedrock's names have colons and
// slashes and its signature wants them escaped.
func EscapeModel(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// Model finds a catalogued model by its id.
func (p *Provider) Model(id string) (Model, bool) {
	for i := range p.Facts.Models { // by index: some services have hundreds
		if p.Facts.Models[i].ID == id {
			return p.Facts.Models[i], true
		}
	}
	return Model{ID: id}, false
}

// OwnName is what the provider calls a model that is asked for as its ID, "/", id: that is
// id, but some vendors' names of models begin with the vendor's own name.
func (p *Provider) OwnName(id string) string {
	if _, known := p.Model(id); !known {
		if _, known := p.Model(p.ID + "/" + id); known {
			return p.ID + "/" + id
		}
	}
	return id
}

// joinURL puts a path under a base. A version that ends the base and begins the
// path ("/v1") counts once, since people give base URLs in both habits.
func joinURL(base, path string) string {
	base = strings.TrimRight(base, "/")
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		path = "/" + strings.TrimLeft(path, "/")
	}
	if i := strings.LastIndexByte(base, '/'); i > 0 && base[i-1] != '/' { // a host may be called v1
		if last := base[i:]; len(last) > 2 && last[1] == 'v' && strings.HasPrefix(path, last+"/") {
			base = base[:i]
		}
	}
	return base + path
}

// Secret is a key that never shows itself: every way of printing it gives
// "[redacted]", or at most an address in memory.
type Secret struct {
	// value is a pointer since fmt calls no methods for %p or below an unexported
	// field; there it prints what it finds, but follows no pointer.
	value *string // behind "Bearer ", so that no request needs a copy
}

const bearer = "Bearer "

// NewSecret wraps a key.
func NewSecret(key string) Secret {
	value := bearer + key
	return Secret{&value}
}

// Reveal returns the key, for the one place that puts it on the wire.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return (*s.value)[len(bearer):]
}

// Bearer returns the key as the value of an Authorization header.
func (s Secret) Bearer() string {
	if s.value == nil {
		return bearer
	}
	return *s.value
}

// Fingerprint tells one secret from another, and nothing else of them; empty for none.
func (s Secret) Fingerprint() string {
	if s.IsZero() {
		return ""
	}
	const length = 8 // bytes
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:length])
}

// IsZero reports whether there is no key.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

const redacted = "[redacted]"

// String hides the key.
func (Secret) String() string { return redacted }

// GoString hides the key.
func (Secret) GoString() string { return redacted }

// Format hides the key from every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText hides the key from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the key from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
