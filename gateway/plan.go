package gateway

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// Mode is how an attempt carries the body.
type Mode string

// The modes, from the least done to the most.
const (
	ModeRelay     Mode = "relay"     // as received, but for the model's name
	ModeEdit      Mode = "edit"      // as received, but for the edits in the provider's facts
	ModeTranslate Mode = "translate" // decoded, and encoded for another dialect
)

// plan is how a target is to be spoken to.
type plan struct {
	mode    Mode
	dialect *dialect.Dialect // the provider's side
	url     string
	framing frames.Kind // of the provider's stream
	edits   provider.Edits
	raw     bool   // the operation is one that nobody translates
	target  string // the target's name
}

// planKey is what decides how a target is to be spoken to.
type planKey struct {
	client   *dialect.Dialect
	stream   bool
	provider *provider.Provider
	model    string
}

// planOf is planFor, found once.
func (g *Gateway) planOf(client *dialect.Dialect, stream bool, t route.Target) (plan, bool) {
	p := g.plans.of(planKey{client, stream, t.Provider, t.Model}, func(planKey) plan {
		p, _ := planFor(client, stream, t, g.opts.Dialects)
		return p
	})
	return p, p.dialect != nil
}

// planFor chooses the mode for one attempt. It is pure: the client's dialect, the target
// and the dialects there are decide it. It is false when the provider speaks none of
// them about the model, which a checked config rules out for the targets it names.
func planFor(client *dialect.Dialect, stream bool, t route.Target, dialects []*dialect.Dialect) (plan, bool) {
	if url, ok := t.Provider.URL(client.Name, t.Model, stream); ok {
		p := newPlan(ModeRelay, unframed(client, dialects), t, url)
		if !p.edits.IsZero() {
			p.mode = ModeEdit
		}
		return p, true
	}
	var found plan
	for _, d := range dialects {
		if d.Does() != client.Does() {
			continue
		}
		url, ok := t.Provider.URL(d.Name, t.Model, stream)
		preferred := d.Name == t.Provider.Facts.Prefer
		if ok && (preferred || found.dialect == nil) {
			found = newPlan(ModeTranslate, d, t, url)
		}
		if ok && preferred {
			break
		}
	}
	return found, found.dialect != nil
}

// unframed is the client's dialect in its own frame, which is how providers are spoken to.
func unframed(client *dialect.Dialect, dialects []*dialect.Dialect) *dialect.Dialect {
	for _, d := range dialects {
		if d.Name == client.Name {
			return d
		}
	}
	return client
}

func newPlan(mode Mode, d *dialect.Dialect, t route.Target, url string) plan {
	facts := &t.Provider.Facts
	framing := d.Framing
	if f, differs := facts.Framings[d.Name]; differs {
		framing = f
	}
	return plan{mode: mode, dialect: d, url: url, framing: kindOf(framing), edits: facts.Edits[d.Name], target: t.Name()}
}

// kindOf is the framing's name where streams are read and written.
func kindOf(f dialect.Framing) frames.Kind {
	if f == "" {
		return frames.SSE
	}
	return frames.Kind(f)
}
