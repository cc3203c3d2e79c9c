package anthropic

import (
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// modelLister writes lists of models [asdk:ModelInfo].
type modelLister struct{}

var _ dialect.ModelLister = modelLister{}

// EncodeModels writes a list as its only page.
func (modelLister) EncodeModels(list []dialect.ModelEntry) []byte {
	var w jsontext.Writer
	w.BeginObject()
	w.Key("data")
	w.BeginArray()
	for i := range list {
		writeModel(&w, &list[i])
	}
	w.EndArray()
	w.BoolField("has_more", false)
	if len(list) == 0 {
		w.NullField("first_id")
		w.NullField("last_id")
	} else {
		w.StringField("first_id", list[0].ID)
		w.StringField("last_id", list[len(list)-1].ID)
	}
	w.EndObject()
	return w.Bytes()
}

// EncodeModel writes one model.
func (modelLister) EncodeModel(m dialect.ModelEntry) []byte {
	var w jsontext.Writer
	writeModel(&w, &m)
	return w.Bytes()
}

func writeModel(w *jsontext.Writer, m *dialect.ModelEntry) {
	w.BeginObject()
	w.StringField("type", "model")
	w.StringField("id", m.ID)
	w.StringField("display_name", m.ID)
	w.StringField("created_at", time.Unix(m.Created, 0).UTC().Format(time.RFC3339))
	writeLimit(w, "max_input_tokens", m.Input())
	writeLimit(w, "max_tokens", m.MaxOutput)
	writeCapabilities(w, m)
	w.EndObject()
}

// writeCapabilities says what the model can do [ant:ModelCapabilities]; null where nothing is known of it. The form has
// no word for what is not known of one that is: no is said then, or null where that is allowed, so that nobody
// relies on it. Batches and what runs at the vendor's are known of no model.
func writeCapabilities(w *jsontext.Writer, m *dialect.ModelEntry) {
	if !m.Known {
		w.NullField("capabilities")
		return
	}
	can := func(key string, supported bool) {
		w.Key(key)
		w.BeginObject()
		w.BoolField("supported", supported)
		w.EndObject()
	}
	w.Key("capabilities")
	w.BeginObject()
	can("batch", false)
	can("citations", false)
	can("code_execution", false)
	w.Key("context_management")
	w.BeginObject()
	w.BoolField("supported", false)
	for _, key := range [...]string{"clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112"} {
		w.NullField(key)
	}
	w.EndObject()
	// Where a model takes an effort alone, that is what adaptive thinking becomes.
	adapts := m.Thinking == llm.ThinkingAdaptive || m.Thinking == llm.ThinkingBoth
	takesEffort := adapts || m.Thinking == llm.ThinkingEffort
	w.Key("effort")
	w.BeginObject()
	w.BoolField("supported", takesEffort)
	for _, key := range [...]string{"low", "medium", "high"} {
		can(key, takesEffort)
	}
	can("max", adapts)
	w.NullField("xhigh")
	w.EndObject()
	can("image_input", m.Sees)
	can("pdf_input", m.Reads)
	can("structured_outputs", m.Structured)
	w.Key("thinking")
	w.BeginObject()
	w.BoolField("supported", m.Thinks())
	w.Key("types")
	w.BeginObject()
	can("adaptive", takesEffort)
	can("enabled", m.Thinking == llm.ThinkingBudget || m.Thinking == llm.ThinkingBoth || m.Thinking == llm.ThinkingToggle)
	w.EndObject()
	w.EndObject()
	w.EndObject()
}

// writeLimit writes a number of tokens, or null for an unknown one.
func writeLimit(w *jsontext.Writer, key string, n int64) {
	if n > 0 {
		w.IntField(key, n)
	} else {
		w.NullField(key)
	}
}
