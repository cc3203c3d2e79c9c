package anthropic

import (
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
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
	// They say yes or no to each of nine, some of which are known of no model: no is what a client would act on.
	w.NullField("capabilities")
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
