package gateway

import (
	"github.com/understudy-ai/understudy/dialect"
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
	edits   provider.Edits
}

// planFor chooses the mode for one attempt. It is pure: client dialect, target
// and the dialects there are decide it. It is false when the provider speaks
// none of them, which a checked config rules out.
func planFor(client *dialect.Dialect, t route.Target, dialects []*dialect.Dialect) (plan, bool) {
	if url, ok := t.Provider.URL(client.Name); ok {
		p := plan{mode: ModeRelay, dialect: client, url: url, edits: t.Provider.Facts.Edits[client.Name]}
		if !p.edits.IsZero() {
			p.mode = ModeEdit
		}
		return p, true
	}
	for _, d := range dialects {
		if url, ok := t.Provider.URL(d.Name); ok {
			return plan{mode: ModeTranslate, dialect: d, url: url, edits: t.Provider.Facts.Edits[d.Name]}, true
		}
	}
	return plan{}, false
}
