package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// checker finds what is wrong with a config that could be decoded.
type checker struct {
	config   *Config
	catalog  Catalog
	problems Problems
	failed   map[string]bool // the paths that could not be decoded
}

// bad reports a problem where path stands, unless decoding found one there.
func (k *checker) bad(path, hint, format string, args ...any) {
	if !k.failed[path] {
		k.problems = append(k.problems, k.config.Problem(path, fmt.Sprintf(format, args...), hint))
	}
}

func (k *checker) check() {
	k.listeners()
	k.data()
	k.redis()
	k.access()
	k.administrators()
	if len(k.config.Providers) == 0 {
		k.bad("providers", "for example: "+k.example(), "got no providers, want at least one")
	}
	for i := range k.config.Providers {
		k.provider(&k.config.Providers[i])
	}
	for i := range k.config.Models {
		k.model(&k.config.Models[i])
	}
	k.between("drain", k.config.Drain, 0, 24*time.Hour)
	k.limits()
	k.budgets()
	k.telemetry()
}

// example is a line that would mend a config without providers.
func (k *checker) example() string {
	usual := k.catalog.Usual()
	if len(usual) == 0 {
		return "providers: {local: {base_url: http://127.0.0.1:8000, key: none}}"
	}
	return "providers: {" + usual[0] + ": {key: env:" + k.catalog.KeyEnv(usual[0]) + "}}"
}

func (k *checker) listeners() {
	c := k.config
	for _, l := range []struct{ path, address string }{{"listen", c.Listen}, {"admin", c.Admin}} {
		_, port, err := net.SplitHostPort(l.address)
		if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n > 65535 {
			k.bad(l.path, "", "%s: got %s, want host:port, such as 127.0.0.1:8080", l.path, quote(l.address))
			continue
		}
	}
	if _, port, err := net.SplitHostPort(c.Listen); err == nil && c.Listen == c.Admin && port != "0" {
		at := "admin"
		if _, given := c.at[at]; !given {
			at = "listen"
		}
		k.bad(at, "", "%s: got %s for listen and admin, want two addresses", at, quote(c.Listen))
	}
}

func (k *checker) data() {
	if strings.TrimSpace(k.config.Data) == "" {
		k.bad("data", "", "data: got no path, want that of a folder, such as ./data, or %s", NoData)
	}
	store := k.config.Store
	_, given := k.config.at["store"]
	u, err := url.Parse(store)
	isURL := err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
	switch {
	case !given:
	case k.config.Data == NoData:
		k.bad("store", "", "store: got a database and data: %s, want a folder, too: entries wait there while the database is gone", NoData)
	case isURL && hasPassword(u):
		k.bad("store", "put the URL where env:NAME or file:/path finds it, or the password into PGPASSWORD", "store: got a password, want none here")
	case !isURL && (!strings.HasPrefix(store, "env:") && !strings.HasPrefix(store, "file:") || strings.HasSuffix(store, ":")):
		k.bad("store", "", "store: got something else, want postgres://user@host/database, env:NAME or file:/path")
	}
}

// redis checks where the Redis server is.
func (k *checker) redis() {
	address := k.config.Redis
	if _, given := k.config.at["redis"]; !given {
		return
	}
	u, err := url.Parse(address)
	isURL := err == nil && (u.Scheme == "redis" || u.Scheme == "rediss") && u.Host != ""
	switch {
	case isURL && hasPassword(u):
		k.bad("redis", "put the URL where env:NAME or file:/path finds it", "redis: got a password, want none here")
	case !isURL && (!strings.HasPrefix(address, "env:") && !strings.HasPrefix(address, "file:") || strings.HasSuffix(address, ":")):
		k.bad("redis", "", "redis: got something else, want redis://host:port, rediss://host:port, env:NAME or file:/path")
	}
}

// hasPassword reports whether a database's URL says its password.
func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has || u.Query().Has("password") || u.Query().Has("sslpassword")
}

func (k *checker) provider(p *Provider) {
	path := "providers." + p.Name
	if !isProviderName(p.Name) {
		k.bad(path, "", "got provider name %s, want up to 64 letters, digits, dots, dashes or underscores", quote(p.Name))
		return
	}
	if !slices.Contains(k.catalog.IDs(), p.Use) && p.Use != "" {
		k.bad(path+".use", didYouMean(p.Use, k.catalog.IDs()), "%s.use: got %s, want one of %s",
			path, quote(p.Use), strings.Join(k.catalog.IDs(), ", "))
		return
	}
	if p.Use == "" && p.Facts.BaseURL == "" && len(p.Facts.Dialects) == 0 {
		k.bad(path, cmp.Or(didYouMean(p.Name, k.catalog.IDs()), "say what it is: use: "+strings.Join(k.catalog.IDs(), " or ")),
			"got a provider %s that is not known and says neither use nor base_url", quote(p.Name))
		return
	}
	if _, given := k.config.at[path+".concurrency"]; given && (p.Concurrency < 1 || p.Concurrency > 100_000) {
		k.bad(path+".concurrency", "", "%s.concurrency: got %d, want 1 to 100000", path, p.Concurrency)
	}
	if p.ServiceTier != "" && !provider.IsTier(p.ServiceTier) {
		k.bad(path+".service_tier", "", "%s.service_tier: got %s, want a vendor's word for a tier, as flex or priority", path, quote(p.ServiceTier))
	}
	for i, tag := range p.Tags {
		if !isProviderName(tag) {
			k.bad(path+".tags."+strconv.Itoa(i), "", "%s.tags: got %s, want up to 64 letters, digits, dots, dashes or underscores", path, quote(tag))
		}
	}
	k.keys(p, path)
	k.key(p, path)
	if len(p.Keys) == 0 {
		k.command(p.Key, path+".key")
	}
	k.address(p, path)
	k.facts(p, path)
}

// keys checks that several keys are what they should be.
func (k *checker) keys(p *Provider, path string) {
	if _, given := k.config.at[path+".key"]; given && len(p.Keys) > 0 {
		k.bad(path+".keys", "", "%s: got key and keys, want one of them", path)
	}
	if len(p.Keys) > maxKeys {
		k.bad(path+".keys", "", "%s.keys: got %d, want up to %d", path, len(p.Keys), maxKeys)
	}
	for i, key := range p.Keys {
		at := path + ".keys." + strconv.Itoa(i)
		if key.Key.Command == "" {
			k.reference(at+".key", key.Key, true)
		}
		k.command(key.Key, at+".key")
		if slices.ContainsFunc(p.Keys[:i], func(other ProviderKey) bool { return other.Key == key.Key && key.Key != Key{} }) {
			k.bad(at+".key", "", "%s.key: got %s again, want each once", at, key.Key)
		}
		if w := key.Weight; w != nil && (*w < 0 || *w > 1000) {
			k.bad(at+".weight", "", "%s.weight: got %v, want 0 to 1000", at, *w)
		}
	}
}

// command checks when a command is run, and for how long.
func (k *checker) command(key Key, path string) {
	if key.Command == "" {
		return
	}
	k.between(path+".timeout", key.Timeout, 100*time.Millisecond, 2*time.Minute)
	if _, given := k.config.at[path+".every"]; given {
		k.between(path+".every", key.Every, time.Second, 24*time.Hour)
	}
}

// maxKeys bounds the keys of a provider: a call may try each.
const maxKeys = 16

// key checks that there is a key where one is shown, and none where none is.
func (k *checker) key(p *Provider, path string) {
	switch use := provider.KeyUseOf(p.Facts.Auth); {
	case p.Key == (Key{}):
		k.bad(path+".key", "", "%s: got no key, want key: env:NAME, file:/path or none", path)
	case use == provider.KeyUnused && !p.Key.None:
		k.bad(path+".key", "to show a key, say how: auth: "+provider.AuthBearer+" or "+provider.AuthAPIKey,
			"%s.key: got %s, want none: auth %s shows no key", path, p.Key, p.Facts.Auth)
	}
}

// address checks that the service can be reached: where everybody has an address of
// their own, the user must have said it.
func (k *checker) address(p *Provider, path string) {
	_, given := k.config.at[path+".base_url"]
	switch hole := p.Facts.Hole(); {
	case given && hole != "":
		k.bad(path+".base_url", "write your own there", "%s.base_url: got %s, want an address without braces", path, quote(p.Facts.BaseURL))
	case hole == "region" && p.Facts.Region != "", hole == "project" && p.Facts.Project != "":
		// What is given there is no good, and reported where it stands.
	case hole == "region" || hole == "project":
		k.bad(path+"."+hole, "for example: "+hole+": "+map[string]string{"region": "europe-west1", "project": "acme-prod"}[hole],
			"%s: got no %s, want it: it is in the address %s", path, hole, p.Facts.BaseURL)
	case hole != "":
		k.bad(path+".base_url", "for example: base_url: "+strings.ReplaceAll(p.Facts.BaseURL, "{"+hole+"}", "acme"),
			"%s: got no base_url, want that of your own %s", path, hole)
	case p.Facts.Auth == provider.AuthAWS && p.Facts.Region == "" && (p.Key.None || p.Key.Optional):
		k.bad(path+".region", "for example: region: eu-central-1", "%s: got no region, want the one that requests are signed for", path)
	}
}

// facts checks what the facts and the user made together.
func (k *checker) facts(p *Provider, path string) {
	for _, name := range slices.Sorted(maps.Keys(p.Facts.Headers)) {
		if carriesKey(name) {
			k.bad(path+".headers."+name, "use key: instead", "%s.headers: got %s, want no credentials here", path, quote(name))
		}
	}
	problems := p.Facts.Check()
	if isUnsaid := p.Use == "" && p.Facts.Auth == "" && len(p.Facts.Dialects) == 0; isUnsaid {
		hint := ""
		if usual := k.catalog.Usual(); len(usual) > 0 {
			hint = "for a server that speaks the API of " + usual[0] + ": use: " + usual[0]
		}
		k.bad(path, hint, "%s: got only an address, want to know what is spoken there: use, or auth and dialects", path)
		problems = slices.DeleteFunc(problems, func(p provider.Problem) bool { return p.Path == "auth" || p.Path == "dialects" })
	}
	for _, problem := range problems {
		at := path + "." + problem.Path
		k.bad(at, "", "%s: %s", at, problem.Message)
	}
}

// carriesKey reports whether a header is one that credentials are sent in.
func carriesKey(header string) bool {
	name := strings.ToLower(header)
	return strings.Contains(name, "auth") || strings.Contains(name, "key") || strings.Contains(name, "token") || name == "cookie"
}

func (k *checker) model(m *Model) {
	path := "models." + m.Name
	if !isModelName(m.Name) {
		k.bad(path, "", "got model name %s, want 1 to 256 printable ASCII characters without spaces", quote(m.Name))
	}
	if m.Lead == (Target{}) {
		k.bad(path+".lead", "", "%s: got no lead, want lead: provider/model", path)
	} else {
		k.target(m.Lead, path+".lead")
	}
	seen := []Target{m.Lead}
	for i, t := range m.Understudies {
		at := path + ".understudies." + strconv.Itoa(i)
		switch {
		case k.failed[at]:
		case slices.Contains(seen, t):
			k.bad(at, "", "%s.understudies: got %s again, want each target once", path, quote(t.String()))
		default:
			k.target(t, at)
		}
		seen = append(seen, t)
	}
	k.order(m, path)
	k.hedge(m, path)
	if identities := []string{"report", "strict"}; m.Identity != "" && !slices.Contains(identities, m.Identity) {
		k.bad(path+".identity", didYouMean(m.Identity, identities), "%s.identity: got %s, want report or strict", path, quote(m.Identity))
	}
	k.require(m, path)
	if m.Loss != "" && !m.Loss.Valid() {
		all := []string{string(llm.LossStrict), string(llm.LossReport), string(llm.LossLenient)}
		k.bad(path+".loss", didYouMean(string(m.Loss), all), "%s.loss: got %s, want one of %s", path, quote(string(m.Loss)), strings.Join(all, ", "))
	}
	if m.Rescue != "" && !m.Rescue.Valid() {
		all := []string{string(llm.RescueText), string(llm.RescueOff)}
		k.bad(path+".rescue", didYouMean(string(m.Rescue), all), "%s.rescue: got %s, want one of %s", path, quote(string(m.Rescue)), strings.Join(all, ", "))
	}
	k.timeouts(m.Timeouts, path+".timeouts")
}

// orders are the words for the order of targets.
var orders = []string{"ordered", "weighted", "fastest", "cheapest"}

func (k *checker) order(m *Model, path string) {
	if m.Order != "" && !slices.Contains(orders, m.Order) {
		k.bad(path+".order", didYouMean(m.Order, orders), "%s.order: got %s, want one of %s", path, quote(m.Order), strings.Join(orders, ", "))
	}
	if n := 1 + len(m.Understudies); m.Weights != nil {
		most := 0.0
		for i, w := range m.Weights {
			if !(0 <= w && w <= 1000) {
				k.bad(path+".weights."+strconv.Itoa(i), "", "%s.weights: got %v, want 0 to 1000", path, w)
			}
			most = max(most, w)
		}
		switch {
		case m.Order != "weighted":
			k.bad(path+".weights", "say order: weighted", "%s.weights: got weights for the order %s, which uses none", path, cmp.Or(m.Order, orders[0]))
		case len(m.Weights) != n:
			k.bad(path+".weights", "", "%s.weights: got %d, want one for the lead and each understudy: %d", path, len(m.Weights), n)
		case most == 0:
			k.bad(path+".weights", "", "%s.weights: got nothing but 0, want one that is more", path)
		}
	}
	if m.Affinity != nil && *m.Affinity != 0 {
		k.between(path+".affinity", *m.Affinity, time.Second, 24*time.Hour)
	}
	if m.Most != nil && *m.Most == 0 {
		k.bad(path+".most", "leave it out where calls may cost what they may", "%s.most: got %s, want more than nothing", path, m.Most)
	}
}

func (k *checker) hedge(m *Model, path string) {
	h := m.Hedge
	if h == nil {
		return
	}
	if _, given := k.config.at[path+".hedge.after"]; !given {
		k.bad(path+".hedge", "for example hedge: {after: p95, most: 5%}", "%s.hedge: got no key after, want it: when the next target is asked, too", path)
	}
	if h.Most == 0 {
		h.Most = usualHedge
	}
	if h.Most < 0.001 || h.Most > 0.5 {
		k.bad(path+".hedge.most", "", "%s.hedge.most: got %s, want 0.1%% to 50%%", path, h.Most)
	}
	if len(m.Understudies) == 0 {
		k.bad(path+".hedge", "name an understudy, or leave hedge out", "%s.hedge: got no understudies, want at least one to ask", path)
	}
}

// usualHedge is what hedges may cost if nothing is said.
const usualHedge Share = 0.05

// require checks that every target is what the model requires.
func (k *checker) require(m *Model, path string) {
	for _, t := range append([]Target{m.Lead}, m.Understudies...) {
		p, ok := k.config.Provider(t.Provider)
		for _, tag := range m.Require {
			if ok && !slices.Contains(p.Tags, tag) && tag != p.Facts.Region {
				k.bad(path+".require", "give the provider the tag, or leave the target out",
					"%s.require: got the target %s, whose provider is not tagged %s", path, quote(t.String()), quote(tag))
			}
		}
	}
}

func (k *checker) target(t Target, path string) {
	if p, ok := k.config.Provider(t.Provider); ok {
		if !speaksAbout(&p.Facts, t.Model) {
			k.bad(path, "", "got target %s, want a model that %s.only lists for a dialect", quote(t.String()), "providers."+p.Name)
		}
		return
	}
	names := make([]string, len(k.config.Providers))
	for i, p := range k.config.Providers {
		names[i] = p.Name
	}
	k.bad(path, didYouMean(t.Provider, names), "got target %s, want its provider among those configured: %s", quote(t.String()), strings.Join(names, ", "))
}

// speaksAbout reports whether a service speaks any of its dialects about a model. One
// that has none is reported where it stands.
func speaksAbout(f *provider.Facts, model string) bool {
	if len(f.Dialects) == 0 {
		return true
	}
	for name := range f.Dialects {
		if f.Speaks(name, model) {
			return true
		}
	}
	return false
}

func (k *checker) timeouts(t Timeouts, path string) {
	for _, phase := range []struct {
		name string
		d    time.Duration
	}{
		{"connect", t.Connect},
		{"first_token", t.FirstToken},
		{"answer", t.Answer},
		{"stall", t.Stall},
		{"rate_window", t.RateWindow},
		{"total", t.Total},
	} {
		at := path + "." + phase.name
		if _, given := k.config.at[at]; !given {
			continue
		}
		most := 24 * time.Hour
		if t.Total > 0 && phase.name != "total" {
			most = min(most, t.Total) // no phase outlasts the call
		}
		k.between(at, phase.d, time.Millisecond, most)
	}
	if at := path + ".min_rate"; t.MinRate != 0 && (t.MinRate < 0.01 || t.MinRate > 1000) {
		k.bad(at, "", "%s: got %v tokens a second, want 0.01 to 1000, or 0 for none", at, t.MinRate)
	}
}

func (k *checker) limits() {
	l := k.config.Limits
	if l.Body < 1<<10 || l.Body > 1<<30 {
		k.bad("limits.body", "", "limits.body: got %s, want 1KiB to 1GiB", l.Body)
	}
	k.between("limits.body_timeout", l.BodyTimeout, time.Second, time.Hour)
	k.between("limits.heartbeat", l.Heartbeat, time.Second, time.Hour)
	k.between("limits.write_timeout", l.WriteTimeout, time.Second, time.Hour)
	if _, given := k.config.at["limits.memory"]; given && (l.Memory < 128<<20 || l.Memory > 1<<40) {
		k.bad("limits.memory", "", "limits.memory: got %s, want 128MiB to 1024GiB", l.Memory)
	}
	if _, given := k.config.at["limits.calls"]; given && (l.Calls < 1 || l.Calls > 1_000_000) {
		k.bad("limits.calls", "", "limits.calls: got %d, want 1 to 1000000", l.Calls)
	}
	if l.Rescue < 1<<20 || l.Rescue > 1<<40 {
		k.bad("limits.rescue", "", "limits.rescue: got %s, want 1MiB to 1024GiB", l.Rescue)
	}
}

func (k *checker) telemetry() {
	t := k.config.Telemetry
	if t.OTLP == "" {
		return
	}
	u, err := url.Parse(t.OTLP)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		k.bad("telemetry.otlp", "headers that the collector wants are in the variable OTEL_EXPORTER_OTLP_HEADERS",
			"telemetry.otlp: got %s, want a collector's address, such as http://127.0.0.1:4318", quote(t.OTLP))
	}
}

func (k *checker) between(path string, got, least, most time.Duration) {
	if got < least || got > most {
		k.bad(path, "", "%s: got %s, want %s to %s", path, FormatDuration(got), FormatDuration(least), FormatDuration(most))
	}
}
