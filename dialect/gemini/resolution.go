package gemini

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// How closely to look at one picture [gem:V1mainMediaResolution], which others call its detail. What others have no word
// for stays the dialect's own.

const keyResolution = "mediaResolution"

// levelOf is the level for a detail, or nothing: where the client leaves it to the vendor, it is left to this one.
func levelOf(detail string) string {
	switch detail {
	case "low":
		return "MEDIA_RESOLUTION_LOW"
	case "high":
		return "MEDIA_RESOLUTION_HIGH"
	}
	return ""
}

// takeDetail turns a picture's resolution into its detail.
func takeDetail(m *llm.Media, rest []llm.Member) []llm.Member {
	at := slices.IndexFunc(rest, func(m llm.Member) bool { return m.Key == keyResolution })
	if at < 0 {
		return rest
	}
	n := 0
	level := ""
	_ = jsontext.Value(rest[at].Raw).Object(func(key string, v jsontext.Value) error { // what is none stays as it is
		if n++; key == "level" {
			level = forms.TextOf(v)
		}
		return nil
	})
	for _, detail := range [...]string{"low", "high"} {
		if n == 1 && level == levelOf(detail) {
			m.Detail = detail
			return slices.Delete(rest, at, at+1)
		}
	}
	return rest
}

// writeDetail writes a picture's detail. Models before the third generation refuse it
// (https://github.com/langchain4j/langchain4j/pull/4389), and so may one of which nothing is known.
func (e *encoder) writeDetail(m *llm.Media) {
	level := levelOf(m.Detail)
	switch {
	case level == "":
	case e.to.Facts.Thinking != llm.ThinkingEffort:
		e.lose(llm.FeatureImageDetail, llm.ActionDropped, llm.Harmless, "the model looks at all pictures alike")
	default:
		e.w.Key(keyResolution)
		e.w.BeginObject()
		e.w.StringField("level", level)
		e.w.EndObject()
	}
}
