package forms

import (
	"unicode/utf8"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// What OpenAI's two APIs take of what concerns an account alone (openai.yaml, Metadata and ModelResponseProperties).
// Longer ids are answered with 400, whichever member they are in.
const (
	openAILongestID = 64
	openAILabels    = 16
	openAILabelKey  = 64
	openAILabelText = 512
)

// WriteOpenAIAccount writes what concerns the vendor's books and not the answer: who asks, under the member named user,
// the service tier, the key of the cache, and, where the API takes them, labels. It returns losses and those it makes.
func WriteOpenAIAccount(w *jsontext.Writer, r *llm.Request, user string, takesLabels bool, losses []llm.Loss) []llm.Loss {
	lose := func(f llm.Feature, action llm.Action, detail string) {
		losses = append(losses, llm.Loss{Feature: f, Action: action, Severity: llm.Harmless, Detail: detail})
	}
	if r.User != "" {
		id, hashed := shortID(r.User, openAILongestID)
		if hashed {
			lose(llm.FeatureUser, llm.ActionEmulated, "an id above the target's 64 characters is sent as its hash")
		}
		w.StringField(user, id)
	}
	if r.Tier != "" {
		if tier := OpenAITier(r.Tier); tier != "" {
			w.StringField("service_tier", tier)
		} else {
			lose(llm.FeatureTier, llm.ActionDropped, "a tier that the target does not have")
		}
	}
	if r.CacheKey != "" {
		key, hashed := shortID(r.CacheKey, openAILongestID)
		if hashed {
			lose(llm.FeatureCacheKey, llm.ActionEmulated, "a key above the target's 64 characters is sent as its hash")
		}
		w.StringField("prompt_cache_key", key)
	}
	if len(r.Metadata) == 0 {
		return losses
	}
	if !takesLabels {
		lose(llm.FeatureMetadata, llm.ActionDropped, "the target takes labels of answers alone that it keeps")
		return losses
	}
	limits := LabelLimits{Most: openAILabels, Key: openAILabelKey, Value: openAILabelText}
	labels, cut := limits.Fit(r.Metadata)
	if cut {
		lose(llm.FeatureMetadata, llm.ActionDropped, "labels above the target's limits: 16 of them, 64 characters the key, 512 the value")
	}
	WriteLabels(w, "metadata", labels)
	return losses
}

// OpenAITiers says in the tables which tiers OpenAITier has words for.
const OpenAITiers = "auto, default, flex, scale, priority and standard; other tiers are dropped"

// OpenAITier is a service tier in the words of OpenAI's APIs (openai.yaml, ServiceTier), or nothing where they have none
// for it. What others sell as reserved is bought elsewhere, so no word of another vendor means scale.
func OpenAITier(tier string) string {
	switch tier {
	case "auto", "default", "flex", "scale", "priority":
		return tier
	case "fast": // the same, and the older word is known to more servers
		return "priority"
	case "standard", "standard_only", "on_demand":
		return "default"
	}
	return ""
}

// shortID is an id of at most longest characters: itself, or a hash that stands for it.
func shortID(id string, longest int) (short string, hashed bool) {
	if len(id) <= longest || utf8.RuneCountInString(id) <= longest {
		return id, false
	}
	return Hashed(id, 22), true
}

// LabelLimits are what a vendor takes of labels: how many, and how many characters of their keys and values.
type LabelLimits struct {
	Most, Key, Value int
	// Takes says which characters they may have; nil is any.
	Takes func(rune) bool
}

// Fit returns the labels that are within the limits, and whether others were left out.
func (l *LabelLimits) Fit(labels []llm.Label) (kept []llm.Label, cut bool) {
	for i := range labels {
		if len(kept) < l.Most && labels[i].Key != "" && l.fits(labels[i].Key, l.Key) && l.fits(labels[i].Value, l.Value) {
			kept = append(kept, labels[i])
		}
	}
	return kept, len(kept) < len(labels)
}

func (l *LabelLimits) fits(s string, longest int) bool {
	if len(s) > longest && utf8.RuneCountInString(s) > longest {
		return false
	}
	if l.Takes == nil {
		return true
	}
	for _, c := range s {
		if !l.Takes(c) {
			return false
		}
	}
	return true
}

// ReadLabels reads an object of labels; odd says that some had values that are no text, which are left out.
func ReadLabels(v jsontext.Value) (labels []llm.Label, odd bool, err error) {
	err = v.Object(func(key string, v jsontext.Value) error {
		value, err := v.Text()
		if err != nil {
			odd = true
			return nil
		}
		labels = append(labels, llm.Label{Key: key, Value: value})
		return nil
	})
	return labels, odd, err
}

// WriteLabels writes the member that holds labels, if there are any.
func WriteLabels(w *jsontext.Writer, member string, labels []llm.Label) {
	if len(labels) == 0 {
		return
	}
	w.Key(member)
	w.BeginObject()
	for i := range labels {
		w.StringField(labels[i].Key, labels[i].Value)
	}
	w.EndObject()
}
