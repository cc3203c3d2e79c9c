package bedrock

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// modelLister writes lists of models as the control plane has them [bedc:FoundationModelSummary]. What is not
// known of a model is left out.
type modelLister struct{}

var _ dialect.ModelLister = modelLister{}

// EncodeModels writes a list as its only page.
func (modelLister) EncodeModels(list []dialect.ModelEntry) []byte {
	var w jsontext.Writer
	w.BeginObject()
	w.Key("modelSummaries")
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
	w.BeginObject()
	w.Key("modelDetails")
	writeModel(&w, &m)
	w.EndObject()
	return w.Bytes()
}

func writeModel(w *jsontext.Writer, m *dialect.ModelEntry) {
	w.BeginObject()
	w.StringField("modelArn", arnPrefix+m.ID)
	w.StringField("modelId", m.ID)
	w.StringField("modelName", m.ID)
	w.StringField("providerName", m.Owner)
	in, out := []string{"TEXT"}, "TEXT"
	if m.Sees {
		in = append(in, "IMAGE")
	}
	if m.Does() == dialect.Embed {
		out = "EMBEDDING"
	}
	texts(w, "inputModalities", in...)
	texts(w, "outputModalities", out)
	w.BoolField("responseStreamingSupported", m.Does() == dialect.Generate)
	texts(w, "inferenceTypesSupported", "ON_DEMAND")
	w.Key("modelLifecycle")
	w.BeginObject()
	w.StringField("status", "ACTIVE")
	w.EndObject()
	w.EndObject()
}

func texts(w *jsontext.Writer, key string, list ...string) {
	w.Key(key)
	w.BeginArray()
	for _, s := range list {
		w.String(s)
	}
	w.EndArray()
}

// arnPrefix begins the names of resources: AWS's scheme, with the gateway in place of a region.
const arnPrefix = "arn:aws:bedrock:understudy::foundation-model/"
