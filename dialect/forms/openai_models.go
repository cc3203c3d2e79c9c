package forms

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// OpenAIModels writes the lists of models: openai.yaml, ListModelsResponse and Model.
type OpenAIModels struct{}

var _ dialect.ModelLister = OpenAIModels{}

// EncodeModels writes the list of all models.
func (OpenAIModels) EncodeModels(models []dialect.ModelEntry) []byte {
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("object", "list")
	w.Key("data")
	w.BeginArray()
	for i := range models {
		writeModel(&w, &models[i])
	}
	w.EndArray()
	w.EndObject()
	return w.Bytes()
}

// EncodeModel writes one model.
func (OpenAIModels) EncodeModel(m dialect.ModelEntry) []byte {
	var w jsontext.Writer
	writeModel(&w, &m)
	return w.Bytes()
}

func writeModel(w *jsontext.Writer, m *dialect.ModelEntry) {
	w.BeginObject()
	w.StringField("id", m.ID)
	w.StringField("object", "model")
	w.IntField("created", m.Created)
	w.StringField("owned_by", m.Owner)
	w.EndObject()
}
