package provider

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// Problem is one thing wrong with facts.
type Problem struct {
	Path    string // dotted, with list items by number: "models.3.id"
	Message string // what was found and what is wanted
}

// Error returns the problem with its place.
func (p Problem) Error() string { return p.Path + ": " + p.Message }

var (
	word        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	regionName  = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]*$`)
	tierWord    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	// editPath is names with dots between them, "[]" after one that is a list.
	editPath = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*(\[\])*(\.[A-Za-z_][A-Za-z0-9_-]*(\[\])*)*$`)
)

// Check returns what is wrong with f. Facts without problems can be used.
func (f Facts) Check() []Problem {
	c := &checker{}
	if !slices.Contains(Auths(), f.Auth) {
		c.bad("auth", "got %q, want one of %s", f.Auth, strings.Join(Auths(), ", "))
	}
	if f.KeyEnv != "" && !word.MatchString(f.KeyEnv) {
		c.bad("key_env", "got %q, want the name of an environment variable", f.KeyEnv)
	}
	c.date("checked", f.Checked, time.DateOnly)
	c.baseAddress("base_url", hole.ReplaceAllString(f.BaseURL, "x"))
	if f.Region != "" && !regionName.MatchString(f.Region) {
		c.bad("region", "got %q, want the cloud's name for a region, as eu-central-1", f.Region)
	}
	if f.Project != "" && !projectName.MatchString(f.Project) {
		c.bad("project", "got %q, want the id of a project", f.Project)
	}
	switch f.Auth {
	case AuthAWS, AuthEntra, AuthGoogle:
		if f.Scope == "" {
			c.bad("scope", "got none, want what auth %s is for: the scope of a token, or the service of a signature", f.Auth)
		}
	}
	if strings.ContainsFunc(f.Scope, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.bad("scope", "got %q, want one word", f.Scope)
	}
	c.dialects(f)
	c.headers(f.Headers)
	for _, name := range slices.Sorted(maps.Keys(f.Edits)) {
		if _, ok := f.Dialects[name]; !ok {
			c.bad("edits."+string(name), "got edits of a dialect that the service does not speak")
		}
		c.edits("edits."+string(name), f.Edits[name])
	}
	for i, rule := range f.Errors {
		c.rule("errors."+strconv.Itoa(i), rule)
	}
	for _, name := range slices.Sorted(maps.Keys(f.ServiceTiers)) {
		c.tierName("service_tiers."+name, name)
		c.times("service_tiers."+name, f.ServiceTiers[name])
	}
	c.models("models", f.Models)
	return c.problems
}

// checker collects problems.
type checker struct{ problems []Problem }

func (c *checker) bad(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...)})
}

// yearMonth is the form of a date whose day is not known.
const yearMonth = "2006-01"

func (c *checker) date(path, text string, forms ...string) {
	isForm := func(form string) bool { _, err := time.Parse(form, text); return err == nil }
	if text != "" && !slices.ContainsFunc(forms, isForm) {
		c.bad(path, "got %q, want a date as 2026-01-31", text)
	}
}

// baseAddress does not quote what it finds wrong: there may be a password in it.
func (c *checker) baseAddress(at, text string) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		c.bad(at, "got none, want the address of the service's API")
	case err == nil && (u.Opaque != "" || u.Scheme == ""):
		c.bad(at, "got no scheme, want an address that begins with https:// or, for one of your own machines, http://")
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !isPort(u.Port()):
		c.bad(at, "got something else, want an address without user, query and fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !IsPrivateHost(u.Hostname())):
		c.bad(at, "got an address that is not https, want https: http is for loopback and private addresses")
	}
}

// isPort reports whether text is a port, or nothing.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

// IsPrivateHost reports whether host names a place that is not on the internet: a
// loopback or private address, a name without a dot, or one below a domain kept for
// private use (RFC 6761, RFC 6762, RFC 8375, ICANN's "internal", and "svc", which
// is how Kubernetes names its services).
func IsPrivateHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback() || addr.IsPrivate()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return host != ""
	}
	return slices.ContainsFunc([]string{".localhost", ".local", ".internal", ".home.arpa", ".svc"}, func(domain string) bool {
		return strings.HasSuffix(host, domain)
	})
}

func (c *checker) dialects(f Facts) {
	known := dialect.All()
	if len(f.Dialects) == 0 {
		c.bad("dialects", "got none, want at least one, as %s: /path", known[0])
	}
	for _, name := range slices.Sorted(maps.Keys(f.Dialects)) {
		at := "dialects." + string(name)
		if !slices.Contains(known, name) {
			c.bad(at, "got dialect %q, want one of %v", name, known)
		}
		c.path(at, f.Dialects[name])
	}
	for _, name := range slices.Sorted(maps.Keys(f.Streams)) {
		at := "streams." + string(name)
		if _, ok := f.Dialects[name]; !ok {
			c.bad(at, "got a path of a dialect that the service does not speak")
		}
		c.path(at, f.Streams[name])
	}
	framings := []dialect.Framing{dialect.FramingSSE, dialect.FramingNDJSON, dialect.FramingArray, dialect.FramingEventStream, dialect.FramingChunks}
	for _, name := range slices.Sorted(maps.Keys(f.Framings)) {
		at := "framings." + string(name)
		if _, ok := f.Dialects[name]; !ok {
			c.bad(at, "got the framing of a dialect that the service does not speak")
		}
		if !slices.Contains(framings, f.Framings[name]) {
			c.bad(at, "got %q, want one of %v", f.Framings[name], framings)
		}
	}
	if _, ok := f.Dialects[f.Prefer]; f.Prefer != "" && !ok {
		c.bad("prefer", "got %q, want one of the dialects that the service speaks", f.Prefer)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Relays)) {
		at := "relays." + string(name)
		if !slices.Contains(known, name) {
			c.bad(at, "got dialect %q, want one of %v", name, known)
		}
		for _, operation := range f.Relays[name] {
			if !operation.IsRelayed() {
				c.bad(at, "got %q, want some of %v", operation, dialect.RelayedOperations())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Only)) {
		at := "only." + string(name)
		if _, ok := f.Dialects[name]; !ok {
			c.bad(at, "got models of a dialect that the service does not speak")
		}
		if len(f.Only[name]) == 0 {
			c.bad(at, "got none, want names of models, in which * stands for anything")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Bare)) {
		if !strings.Contains(f.Dialects[name], modelHole) {
			c.bad("bare."+string(name), "got beginnings of names for a dialect that has no {model} in its path")
		}
	}
	switch {
	case f.ModelsPath == "":
	case isAddress(f.ModelsPath):
		c.baseAddress("models_path", hole.ReplaceAllString(f.ModelsPath, "x"))
	default:
		c.path("models_path", f.ModelsPath)
	}
}

// path checks a path, in which a model may have a place, and which may have a query.
func (c *checker) path(at, text string) {
	path, query, _ := strings.Cut(strings.Replace(text, modelHole, "m", 1), "?")
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || u.Host != "" || u.Path != path {
		c.bad(at, "got %q, want a path below base_url that begins with /", text)
		return
	}
	if _, err := url.ParseQuery(query); err != nil || strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
		c.bad(at, "got %q, want a query of names and values behind the ?", text)
	}
}

func (c *checker) headers(headers map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if !headerName.MatchString(name) {
			c.bad("headers", "got %q, want the name of a header", name)
		}
		if strings.ContainsFunc(headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			c.bad("headers."+name, "got a control character, want text on one line")
		}
	}
}

func (c *checker) edits(at string, e Edits) {
	paths := slices.Concat(e.Drop, slices.Sorted(maps.Keys(e.Rename)), slices.Sorted(maps.Keys(e.Set)), slices.Sorted(maps.Keys(e.Cap)), slices.Sorted(maps.Keys(e.FromHeader)), slices.Sorted(maps.Keys(e.Map)))
	for _, path := range paths {
		if !editPath.MatchString(path) {
			c.bad(at, "got path %q, want names with dots between them, and [] for every element", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(e.Rename)) {
		if to := e.Rename[path]; !editPath.MatchString(to) || strings.ContainsAny(to, ".[") {
			c.bad(at+".rename", "got %q, want the new last name alone", to)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(e.FromHeader)) {
		if name := e.FromHeader[path]; !headerName.MatchString(name) {
			c.bad(at+".from_header", "got %q for %s, want the name of a header", name, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(e.Cap)) {
		if most := e.Cap[path]; math.IsNaN(most) || math.IsInf(most, 0) {
			c.bad(at+".cap", "got %v for %s, want a number", most, path)
		}
	}
}

func (c *checker) rule(at string, r ErrorRule) {
	if r.Status == 0 && r.Type == "" && r.Code == "" && r.Prefix == "" {
		c.bad(at, "got a rule that every error matches, want a status, type, code or message_prefix")
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		c.bad(at+".status", "got %d, want an HTTP status", r.Status)
	}
	if !slices.ContainsFunc(llm.Codes(), func(info llm.CodeInfo) bool { return info.Code == r.Class }) {
		c.bad(at+".class", "got %q, want an error code", r.Class)
	}
}

func (c *checker) models(at string, models []Model) {
	c.ids(at, models)
	for i, m := range models {
		c.model(at+"."+strconv.Itoa(i), m)
	}
}

func (c *checker) ids(at string, models []Model) {
	seen := map[string]bool{}
	for i, m := range models {
		at := at + "." + strconv.Itoa(i) + ".id"
		if m.ID == "" || strings.ContainsFunc(m.ID, func(r rune) bool { return r <= ' ' || r > '~' }) {
			c.bad(at, "got %q, want printable characters without spaces", m.ID)
		}
		if seen[m.ID] {
			c.bad(at, "got %q again, want each model once", m.ID)
		}
		seen[m.ID] = true
	}
}

func (c *checker) model(at string, m Model) {
	switch {
	case m.Window < 0:
		c.bad(at+".context", "got %d, want a number of tokens", m.Window)
	case m.MaxInput < 0, m.Window > 0 && m.MaxInput > m.Window:
		c.bad(at+".max_input", "got %d, want a number of tokens up to context", m.MaxInput)
	case m.MaxOutput < 0, m.Window > 0 && m.MaxOutput > m.Window:
		c.bad(at+".max_output", "got %d, want a number of tokens up to context", m.MaxOutput)
	}
	if m.SameAs != "" {
		if id, rest, ok := strings.Cut(m.SameAs, "/"); !ok || id == "" || rest == "" {
			c.bad(at+".same_as", "got %q, want vendor/model", m.SameAs)
		}
	}
	if !slices.Contains(operations, m.Operation) {
		c.bad(at+".operation", "got %q, want one of %v", m.Operation, operations[1:])
	}
	if m.Dimensions < 0 || m.Dimensions > 0 && m.Operation != dialect.Embed {
		c.bad(at+".dimensions", "got %d, want how many numbers a vector has, of a model with operation embed", m.Dimensions)
	}
	c.modalities(at+".modalities.input", m.Modalities.Input)
	c.modalities(at+".modalities.output", m.Modalities.Output)
	if m.Price != nil {
		c.price(at+".price", *m.Price)
	}
	c.date(at+".released", m.Released, time.DateOnly, yearMonth)
	c.date(at+".retires", m.Retires, time.DateOnly, yearMonth)
	if m.Status != "" && !slices.Contains(statuses, m.Status) {
		c.bad(at+".status", "got %q, want one of %s", m.Status, strings.Join(statuses, ", "))
	}
	thinking := []llm.ThinkingControl{
		llm.ThinkingUnknown, llm.ThinkingNone, llm.ThinkingEffort, llm.ThinkingBudget, llm.ThinkingAdaptive, llm.ThinkingBoth,
		llm.ThinkingToggle, llm.ThinkingAlways,
	}
	if !slices.Contains(thinking, m.Thinking) {
		c.bad(at+".thinking", "got %q, want one of %v", m.Thinking, thinking[1:])
	}
	for _, effort := range m.Efforts {
		if !slices.Contains(llm.Efforts, effort) {
			c.bad(at+".efforts", "got %q, want some of %s", effort, strings.Join(llm.Efforts, ", "))
		}
	}
}

var (
	statuses   = []string{"beta", "deprecated"}
	operations = []dialect.Operation{"", dialect.Generate, dialect.Embed, dialect.Rerank}
	modalities = []string{"text", "image", "pdf", "audio", "video"}
)

func (c *checker) modalities(at string, got []string) {
	for _, m := range got {
		if !slices.Contains(modalities, m) {
			c.bad(at, "got %q, want some of %s", m, strings.Join(modalities, ", "))
		}
	}
}

func (c *checker) price(at string, p Price) {
	amounts := []float64{p.Input, p.Output, p.CacheRead, p.CacheWrite, p.CacheWrite1h, p.Reasoning, p.AudioInput, p.AudioOutput}
	above := int64(0)
	for i, t := range p.Tiers {
		if t.Above <= above {
			c.bad(at+".tiers."+strconv.Itoa(i)+".above", "got %d, want a number of tokens above %d", t.Above, above)
		}
		above = t.Above
		amounts = append(amounts, t.Input, t.Output, t.CacheRead, t.CacheWrite)
	}
	for i, t := range p.ServiceTiers {
		at := at + ".service_tiers." + strconv.Itoa(i)
		c.tierName(at+".name", t.Name)
		said := []float64{t.Input, t.Output, t.CacheRead, t.CacheWrite, t.CacheWrite1h, t.AudioInput, t.AudioOutput}
		amounts = append(amounts, said...)
		switch isSaid := slices.ContainsFunc(said, func(usd float64) bool { return usd != 0 }); {
		case t.Times == 0 && (t.Input == 0 || t.Output == 0):
			c.bad(at, "got no price, want either times or input and output")
		case t.Times != 0 && isSaid:
			c.bad(at, "got times and prices, want either")
		case t.Times != 0:
			c.times(at+".times", t.Times)
		}
		if slices.ContainsFunc(p.ServiceTiers[:i], func(other ServiceTier) bool { return other.Name == t.Name }) {
			c.bad(at+".name", "got %q again, want each tier once", t.Name)
		}
	}
	for _, usd := range amounts {
		if !(usd >= 0) || math.IsInf(usd, 0) {
			c.bad(at, "got %v, want USD per million tokens", usd)
		}
	}
}

// tierName checks the name of a tier that costs something else than usual.
func (c *checker) tierName(at, name string) {
	if !IsTier(name) {
		c.bad(at, "got %q, want a vendor's word for a tier, as flex or priority", name)
	}
}

// times checks how many times the usual price something costs.
func (c *checker) times(at string, n float64) {
	const most = 100
	if !(n > 0 && n <= most) {
		c.bad(at, "got %v, want how many times the price: more than 0, and %d at most", n, most)
	}
}
