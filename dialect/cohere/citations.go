package cohere

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The types of citations, by what they are of, and of their sources [coh:CitationType, coh:Source].
const (
	citesText     = "TEXT_CONTENT"
	citesPlan     = "PLAN"
	sourceOfTool  = "tool"
	sourceInDocs  = "document"
	maxOfCitation = 1 << 30 // characters
)

// cite reads citations and puts each on the part that find returns for a content index, or for the plan. An index that
// is not given is -1. It returns those that find has no part for.
func cite(v jsontext.Value, find func(index int, planned bool) *llm.Part) (strays []llm.Part) {
	_ = v.Array(func(_ int, v jsontext.Value) error { // what is no list holds no citation
		index, planned := placeOf(v)
		if p := find(index, planned); p != nil {
			p.Citations = append(p.Citations, citationsOf(v)...)
		} else {
			strays = append(strays, strayCitation(v))
		}
		return nil
	})
	return strays
}

// strayCitation is one of what is no text, such as thinking, or not there: no other dialect has a place for it.
func strayCitation(v jsontext.Value) llm.Part {
	return llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: citationStart, Raw: append([]byte(nil), v...)}}
}

// placeOf is what a citation is of.
func placeOf(v jsontext.Value) (index int, planned bool) {
	index = -1
	if n, err := v.Get("content_index").Int(); err == nil && n >= 0 && n < maxOfCitation {
		index = int(n)
	}
	return index, textOf(v.Get("type")) == citesPlan
}

// firstText is where a citation belongs that does not say.
func firstText(parts []llm.Part) *llm.Part {
	for i := range parts {
		if parts[i].Kind == llm.PartText {
			return &parts[i]
		}
	}
	return nil
}

// citationsOf reads one citation [coh:Citation], which may have several sources: a citation for each.
func citationsOf(v jsontext.Value) []llm.Citation {
	at := func(key string) int { return int(min(forms.Count(v.Get(key)), maxOfCitation)) }
	start, end := at("start"), at("end")
	var list []llm.Citation
	_ = v.Get("sources").Array(func(_ int, v jsontext.Value) error {
		c := sourceOf(v)
		c.Start, c.End = start, end
		list = append(list, c)
		return nil
	})
	if len(list) == 0 {
		list = []llm.Citation{{Start: start, End: end}}
	}
	return list
}

// sourceOf reads a source: a document, by its URL where it has one, or a tool's output, which no other dialect cites.
func sourceOf(v jsontext.Value) llm.Citation {
	kind := textOf(v.Get("type"))
	c := llm.Citation{Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: append([]byte(nil), v...)}}
	if kind == sourceOfTool {
		return c
	}
	d := v.Get("document")
	c.Kind, c.Title, c.URL, c.Text = llm.CiteDocument, textOf(d.Get(fieldTitle)), textOf(d.Get("url")), textOf(d.Get(fieldText))
	if c.Title == "" {
		c.Title = textOf(v.Get("id"))
	}
	if c.URL != "" {
		c.Kind = llm.CiteURL
	}
	return c
}

// isCitable reports whether the dialect has a form for a citation: it must name its source.
func isCitable(c *llm.Citation) bool {
	return c.Kind == llm.CiteURL || c.Kind == llm.CiteDocument || c.Opaque != nil && c.Opaque.Dialect == self
}

// writeCitation writes a citation of a text, which is the content with an index.
func writeCitation(w *jsontext.Writer, c *llm.Citation, text *forms.Chars, index int) {
	start, end := c.Start, c.End
	if size := text.Count(); start == 0 && end == 0 || end > size {
		start, end = min(start, size), size
	}
	w.BeginObject()
	w.IntField("start", int64(start))
	w.IntField("end", int64(end))
	w.StringField("text", string(text.Text()[text.At(min(start, end)):text.At(end)]))
	w.Key("sources")
	w.BeginArray()
	if c.Opaque != nil && c.Opaque.Dialect == self {
		w.Raw(c.Opaque.Raw)
	} else {
		writeSource(w, c)
	}
	w.EndArray()
	w.StringField("type", citesText)
	w.IntField("content_index", int64(index))
	w.EndObject()
}

func writeSource(w *jsontext.Writer, c *llm.Citation) {
	id := c.Title
	if id == "" {
		id = c.URL
	}
	w.BeginObject()
	w.StringField("type", sourceInDocs)
	w.StringField("id", id)
	w.Key(typeDocument)
	w.BeginObject()
	for _, field := range [...][2]string{{"id", id}, {fieldTitle, c.Title}, {"url", c.URL}, {fieldText, c.Text}} {
		if field[1] != "" {
			w.StringField(field[0], field[1])
		}
	}
	w.EndObject()
	w.EndObject()
}
