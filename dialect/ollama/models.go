package ollama

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// lister writes the lists of models [oll:ListResponse, oll:ShowResponse]. What a model weighs and how it is quantized is
// not known.
type lister struct{}

// EncodeModels writes the list of all models.
func (lister) EncodeModels(models []dialect.ModelEntry) []byte {
	var w jsontext.Writer
	w.BeginObject()
	w.Key("models")
	w.BeginArray()
	for i := range models {
		m := &models[i]
		w.BeginObject()
		w.StringField("name", m.ID)
		w.StringField("model", m.ID)
		w.StringField("modified_at", createdAt(m.Created))
		w.IntField("size", 0)
		w.StringField("digest", "")
		writeDetails(&w)
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	return w.Bytes()
}

// EncodeModel writes what is shown of one model.
func (lister) EncodeModel(m dialect.ModelEntry) []byte {
	var w jsontext.Writer
	w.BeginObject()
	w.StringField("modified_at", createdAt(m.Created))
	writeDetails(&w)
	w.Key("model_info")
	w.BeginObject()
	w.StringField("general.basename", m.ID)
	if m.Window > 0 {
		w.StringField("general.architecture", "model")
		w.IntField("model.context_length", m.Window)
	}
	w.EndObject()
	w.Key("capabilities")
	w.BeginArray()
	for _, word := range capabilitiesOf(&m) {
		w.String(word)
	}
	w.EndArray()
	w.EndObject()
	return w.Bytes()
}

// capabilitiesOf lists what a model can do, in the server's words.
func capabilitiesOf(m *dialect.ModelEntry) []string {
	if m.Does() != dialect.Generate {
		return []string{"embedding"}
	}
	list := []string{"completion"}
	if !m.NoTools {
		list = append(list, "tools")
	}
	if m.Sees {
		list = append(list, "vision")
	}
	if m.Thinks() {
		list = append(list, "thinking")
	}
	return list
}

func writeDetails(w *jsontext.Writer) {
	w.Key("details")
	w.BeginObject()
	for _, key := range [...]string{"parent_model", "format", "family"} {
		w.StringField(key, "")
	}
	w.Key("families")
	w.BeginArray()
	w.EndArray()
	w.StringField("parameter_size", "")
	w.StringField("quantization_level", "")
	w.EndObject()
}
