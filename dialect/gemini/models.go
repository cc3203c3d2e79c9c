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

// methodsOf lists the methods by which a model is asked for what it is for.
func methodsOf(op dialect.Operation) []string {
	switch op {
	case dialect.Generate:
		return []string{"generateContent", "streamGenerateContent", "countTokens"}
	case dialect.Embed:
		return []string{"embedContent", "batchEmbedContents"}
	default: // the dialect has no such method
		return nil
	}
}

func writeModel(w *jsontext.Writer, m *dialect.ModelEntry) {
	w.BeginObject()
	w.StringField("name", "models/"+m.ID)
	w.StringField("displayName", m.ID)
	if n := m.Input(); n > 0 {
		w.IntField("inputTokenLimit", n)
	}
	if m.MaxOutput > 0 {
		w.IntField("outputTokenLimit", m.MaxOutput)
	}
	w.Key("supportedGenerationMethods")
	w.BeginArray()
	for _, method := range methodsOf(m.Does()) {
		w.String(method)
	}
	w.EndArray()
	if m.Thinks() {
		w.BoolField("thinking", true)
	}
	w.EndObject()
}
