package cohere

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The fields of a document that this gateway writes. A document of these alone is read back as it was.
const (
	fieldTitle   = "title"
	fieldText    = "snippet"
	fieldContext = "context"
)

// placeDocuments puts the request's documents at the head of the last message of the user's.
func (d *requestDecoder) placeDocuments() error {
	var parts []llm.Part
	cite := citesDocuments(textOf(d.mode))
	if len(d.documents) > 0 {
		err := d.documents.Array(func(i int, v jsontext.Value) error {
			p, err := documentOf(v, "doc:"+strconv.Itoa(i)) // as the vendor calls one without an id
			if err == nil {
				p.Document.Citations = &cite
			}
			parts = append(parts, p)
			return err
		})
		if err != nil {
			return jsontext.At("documents", err)
		}
	}
	r := d.req
	for i := len(r.Messages) - 1; i >= 0 && len(parts) > 0; i-- {
		if r.Messages[i].Role == llm.RoleUser {
			r.Messages[i].Parts = append(parts, r.Messages[i].Parts...)
			return d.keepMode(cite)
		}
	}
	if len(parts) > 0 {
		return llm.Invalid("documents", "invalid request: documents need a message of the user's.")
	}
	return d.keepMode(true)
}

// keepMode keeps a citation mode that says more than whether to cite.
func (d *requestDecoder) keepMode(cite bool) error {
	if len(d.mode) > 0 && (textOf(d.mode) != "OFF" || cite) {
		d.req.Extra = d.req.Extra.Add(self, "citation_options.mode", d.mode)
	}
	return nil
}

// citesDocuments reports whether a citation mode cites. They do unless they are off.
func citesDocuments(mode string) bool { return mode != "OFF" && mode != "DISABLED" }

// documentOf reads a document: a text, or an object of fields [coh:Document]. Fields that this gateway would not have
// written become lines of text, which is how the vendor shows them to the model.
func documentOf(v jsontext.Value, unnamed string) (llm.Part, error) {
	d := &llm.Document{Name: unnamed}
	p := llm.Part{Kind: llm.PartDocument, Document: d}
	if v.Kind() == jsontext.String {
		var err error
		d.Text, err = v.Text()
		return p, err
	}
	if id := v.Get("id"); !id.IsNull() {
		name, err := id.Text()
		if err != nil {
			return p, jsontext.At("id", err)
		}
		d.Name = name
	}
	data := v.Get("data")
	if title := textOf(data.Get(fieldTitle)); title != "" && v.Get("id").IsNull() {
		d.Name = title
	}
	var lines strings.Builder
	plain := true
	err := data.Object(func(key string, v jsontext.Value) error {
		text := textOf(v)
		switch {
		case v.Kind() == jsontext.String && key == fieldText:
			d.Text = text
		case v.Kind() == jsontext.String && key == fieldContext:
			d.Context = text
		case v.Kind() != jsontext.String || key != fieldTitle || text != d.Name:
			plain = false
		}
		if v.Kind() != jsontext.String {
			text = string(v)
		}
		if lines.Len() > 0 {
			lines.WriteByte('\n')
		}
		lines.WriteString(key + ": " + text)
		return nil
	})
	if err != nil {
		return p, jsontext.At("data", err)
	}
	if !plain {
		d.Text, d.Context = lines.String(), ""
	}
	return p, nil
}

// collectDocuments finds the documents that stand beside the conversation: those in messages of the user's that hold
// something else too. A response format excludes them; then they stay where they are, as text.
func (e *requestEncoder) collectDocuments(list []llm.Message) {
	if e.req.Format != nil {
		return
	}
	last := -1
	for i := range list {
		if list[i].Role == llm.RoleUser {
			last = i
		}
	}
	for i := range list {
		m := &list[i]
		if m.Role != llm.RoleUser || !slices.ContainsFunc(m.Parts, isNoDocument) {
			continue
		}
		for j := range m.Parts {
			if p := &m.Parts[j]; isTextDocument(p) {
				e.documents = append(e.documents, p)
				if e.beside == nil {
					e.beside = make(map[*llm.Document]bool)
				}
				e.beside[p.Document] = true
				if i != last {
					e.lose(llm.FeatureDocumentText, llm.ActionApproximated, llm.Tuning, "documents of earlier messages stand beside the last one")
				}
			}
		}
	}
}

func isNoDocument(p llm.Part) bool { return !isTextDocument(&p) }

// isTextDocument reports whether a part is a document whose text is known.
func isTextDocument(p *llm.Part) bool {
	return p.Kind == llm.PartDocument && p.Media == nil && p.Document != nil &&
		!slices.ContainsFunc(p.Document.Parts, func(p llm.Part) bool { return p.Kind != llm.PartText })
}

// writeDocuments writes the documents beside the conversation, and whether they shall be cited.
func (e *requestEncoder) writeDocuments() {
	cite := false
	names := map[string]bool{}
	w := &e.w
	for i, p := range e.documents {
		if i == 0 {
			w.Key("documents")
			w.BeginArray()
		}
		name := p.Document.Name
		if names[name] {
			name = "" // an id must be the only one
		}
		names[name] = true
		writeDocument(w, p.Document, name)
		cite = cite || p.Document.Citations != nil && *p.Document.Citations
	}
	if len(e.documents) > 0 {
		w.EndArray()
	}
	off := len(e.documents) > 0 && !cite
	if !off && !hasExtra(e.req.Extra, "citation_options.") {
		return
	}
	w.Key("citation_options")
	w.BeginObject()
	if off && !hasExtra(e.req.Extra, "citation_options.mode") {
		w.StringField("mode", "OFF")
	}
	writeExtra(w, e.req.Extra, "citation_options.")
	w.EndObject()
}

func writeDocument(w *jsontext.Writer, d *llm.Document, id string) {
	w.BeginObject()
	if id != "" {
		w.StringField("id", id)
	}
	w.Key("data")
	w.BeginObject()
	if d.Name != "" {
		w.StringField(fieldTitle, d.Name)
	}
	w.StringField(fieldText, documentText(d))
	if d.Context != "" {
		w.StringField(fieldContext, d.Context)
	}
	w.EndObject()
	w.EndObject()
}

// documentText is the words of a document.
func documentText(d *llm.Document) string {
	if len(d.Parts) == 0 {
		return d.Text
	}
	texts := make([]string, 0, len(d.Parts)+1)
	if d.Text != "" {
		texts = append(texts, d.Text)
	}
	for i := range d.Parts {
		texts = append(texts, d.Parts[i].Text)
	}
	return strings.Join(texts, "\n")
}

// inlineDocument is a document as text in the conversation, with its title around it.
func inlineDocument(d *llm.Document) string {
	head := "<document"
	for _, a := range [...][2]string{{"title", d.Name}, {"context", d.Context}} {
		if a[1] != "" {
			head += " " + a[0] + `="` + strings.ReplaceAll(a[1], `"`, "'") + `"`
		}
	}
	return head + ">\n" + documentText(d) + "\n</document>"
}
