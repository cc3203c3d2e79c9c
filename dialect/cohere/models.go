package cohere

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// lister writes the lists of models [coh:ListModelsResponse, coh:GetModelResponse].
type lister struct{}

// EncodeModels writes the list of all models, which is never cut into pages.
func (lister) EncodeModels(models []dialect.ModelEntry) []byte {
	var w jsontext.Writer
	w.BeginObject()
	w.Key("models")
	w.BeginArray()
	for i := range models {
		writeModel(&w, &models[i])
	}
	w.EndArray()
	w.EndObject()
	return w.Bytes()
}

// EncodeModel writes one model.
func (lister) EncodeModel(m dialect.ModelEntry) []byte {
	var w jsontext.Writer
	writeModel(&w, &m)
	return w.Bytes()
}

func writeModel(w *jsontext.Writer, m *dialect.ModelEntry) {
	w.BeginObject()
	w.StringField("name", m.ID)
	w.BoolField("is_deprecated", false)
	w.Key("endpoints")
	w.BeginArray()
	switch m.Does() {
	case dialect.Embed:
		w.String("embed")
	case dialect.Rerank:
		w.String("rerank")
	default:
		w.String("chat")
	}
	w.EndArray()
	w.BoolField("finetuned", false)
	if m.Window > 0 {
		w.IntField("context_length", m.Window)
	}
	w.EndObject()
}
