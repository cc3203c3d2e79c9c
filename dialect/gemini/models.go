package gemini

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// modelLister writes lists of models [gem:Model].
type modelLister struct{}

var _ dialect.ModelLister = modelLister{}

// EncodeModels writes a list as its only page.
func (modelLister) EncodeModels(list []dialect.ModelEntry) []byte {
	var w jsontext.Writer
	w.BeginObject()
	w.Key("models")
	w.BeginArray()
	for i := range list {
		writeModel(&w, &list[i])
	}
	w.EndArray()
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
	w.StringField("name", "models/"+m.ID)
	w.StringField("displayName", m.ID)
	if m.Window > 0 {
		w.IntField("inputTokenLimit", m.Window)
	}
	if m.MaxOutput > 0 {
		w.IntField("outputTokenLimit", m.MaxOutput)
	}
	w.Key("supportedGenerationMethods")
	w.BeginArray()
	w.String("generateContent")
	w.String("streamGenerateContent")
	w.EndArray()
	w.EndObject()
}
