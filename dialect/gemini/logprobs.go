package gemini

import (
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// logProbsOf reads LogprobsResult: the chosen tokens, and for each the likeliest.
func logProbsOf(v jsontext.Value) []llm.TokenLogProb {
	if v.Kind() != jsontext.Object {
		return nil
	}
	var list []llm.TokenLogProb
	eachIn(v.Get("chosenCandidates"), func(v jsontext.Value) { list = append(list, tokenOf(v)) })
	i := 0
	eachIn(v.Get("topCandidates"), func(v jsontext.Value) {
		if i < len(list) {
			eachIn(v.Get("candidates"), func(v jsontext.Value) { list[i].Top = append(list[i].Top, tokenOf(v)) })
		}
		i++
	})
	return list
}

// tokenOf reads a token. Its bytes are those of its text, where that was not cut within a character.
func tokenOf(v jsontext.Value) llm.TokenLogProb {
	t := llm.TokenLogProb{Token: forms.TextOf(v.Get("token"))}
	t.LogProb, _ = v.Get("logProbability").Float() // 0, the probability of certainty, is left out
	if !containsReplacement(t.Token) {
		t.Bytes = []byte(t.Token)
	}
	return t
}

func containsReplacement(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError {
			return true
		}
	}
	return false
}

// writeLogProbs writes LogprobsResult.
func writeLogProbs(w *jsontext.Writer, list []llm.TokenLogProb) {
	w.Key("logprobsResult")
	w.BeginObject()
	w.Key("topCandidates")
	w.BeginArray()
	for i := range list {
		w.BeginObject()
		w.Key("candidates")
		w.BeginArray()
		for j := range list[i].Top {
			writeToken(w, &list[i].Top[j])
		}
		w.EndArray()
		w.EndObject()
	}
	w.EndArray()
	w.Key("chosenCandidates")
	w.BeginArray()
	for i := range list {
		writeToken(w, &list[i])
	}
	w.EndArray()
	w.EndObject()
}

func writeToken(w *jsontext.Writer, t *llm.TokenLogProb) {
	w.BeginObject()
	w.StringField("token", t.Token)
	w.FloatField("logProbability", t.LogProb)
	w.EndObject()
}
