package gemini

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// citer finds the citations in an answer's metadata. Sources are listed once in a stream, and referred to by number.
type citer struct {
	text    forms.Chars // of the open text
	bases   []int       // where the parts of the current chunk begin in it
	sources []llm.Citation
	looked  int // for words, so far
}

// maxLooked bounds for how many words all of an answer is searched.
const maxLooked = 1000

// begin is called before the parts of a chunk, wire after each.
func (c *citer) begin() { c.bases = append(c.bases[:0], len(c.text.Text())) }
func (c *citer) wire()  { c.bases = append(c.bases, len(c.text.Text())) }

// reset is called when a new text begins.
func (c *citer) reset() { c.text = forms.Chars{} }

// read returns the citations of the open text in groundingMetadata and citationMetadata.
func (c *citer) read(grounding, citation jsontext.Value) []llm.Citation {
	var list []llm.Citation
	add := func(v, segment jsontext.Value, source llm.Citation) {
		source.Start, source.End = c.span(segment, forms.TextOf(segment.Get("text")))
		source.Opaque = &llm.Opaque{Dialect: self, Type: "groundingSupport", Raw: clone(v)}
		list = append(list, source)
	}
	eachIn(grounding.Get("groundingChunks"), func(v jsontext.Value) { c.sources = append(c.sources, sourceOf(v)) })
	eachIn(grounding.Get("groundingSupports"), func(v jsontext.Value) {
		eachIn(v.Get("groundingChunkIndices"), func(i jsontext.Value) {
			if n, err := i.Int(); err == nil && n >= 0 && n < int64(len(c.sources)) {
				add(v, v.Get("segment"), c.sources[n])
			}
		})
	})
	for _, key := range [...]string{"citationSources", "citations"} { // the Gemini API's name and Vertex AI's
		eachIn(citation.Get(key), func(v jsontext.Value) {
			if uri := forms.TextOf(v.Get("uri")); uri != "" {
				add(v, v, llm.Citation{Kind: llm.CiteURL, URL: uri, Title: forms.TextOf(v.Get("title"))})
			}
		})
	}
	return list
}

// eachIn calls f for the elements of what should be a list.
func eachIn(v jsontext.Value, f func(jsontext.Value)) {
	if v.Kind() == jsontext.Array {
		_ = v.Array(func(_ int, v jsontext.Value) error { // it is an array, and the function returns no error
			f(v)
			return nil
		})
	}
}

// sourceOf reads a groundingChunk.
func sourceOf(v jsontext.Value) llm.Citation {
	for _, key := range [...]string{"web", "maps", "image"} {
		if s := v.Get(key); !s.IsNull() {
			uri := forms.TextOf(s.Get("uri"))
			if uri == "" {
				uri = forms.TextOf(s.Get("sourceUri"))
			}
			return llm.Citation{Kind: llm.CiteURL, URL: uri, Title: forms.TextOf(s.Get("title"))}
		}
	}
	s := v.Get("retrievedContext")
	return llm.Citation{Kind: llm.CiteDocument, URL: forms.TextOf(s.Get("uri")), Title: forms.TextOf(s.Get("title")), Text: forms.TextOf(s.Get("text"))}
}

// span converts a segment, which is in bytes of a part, to characters of the open text. Where the bytes are not what
// the segment says, its words are looked for.
func (c *citer) span(segment jsontext.Value, words string) (start, end int) {
	from, _ := segment.Get("startIndex").Int() // left out where it is 0
	to, err := segment.Get("endIndex").Int()
	if part, err := segment.Get("partIndex").Int(); err == nil && part > 0 && part < int64(len(c.bases)) {
		from, to = from+int64(c.bases[part]), to+int64(c.bases[part])
	}
	text := c.text.Text()
	if err != nil || from < 0 || to > int64(len(text)) || from >= to || words != "" && string(text[from:to]) != words {
		if c.looked++; words == "" || c.looked > maxLooked {
			return 0, 0
		}
		at := bytes.Index(text, []byte(words))
		if at < 0 {
			return 0, 0
		}
		from, to = int64(at), int64(at+len(words))
	}
	return c.text.Before(int(from)), c.text.Before(int(to))
}

// textCitations are the citations of one text of an answer; part is its place among the parts.
type textCitations struct {
	part int
	text *forms.Chars
	list []llm.Citation
}

// writeGrounding writes citations as groundingMetadata.
func writeGrounding(w *jsontext.Writer, texts []textCitations) {
	w.Key("groundingMetadata")
	w.BeginObject()
	w.Key("groundingChunks")
	w.BeginArray()
	for _, t := range texts {
		for i := range t.list {
			writeSource(w, &t.list[i])
		}
	}
	w.EndArray()
	w.Key("groundingSupports")
	w.BeginArray()
	n := int64(0)
	for _, t := range texts {
		for i := range t.list {
			writeSupport(w, t, &t.list[i], n)
			n++
		}
	}
	w.EndArray()
	w.EndObject()
}

func writeSource(w *jsontext.Writer, c *llm.Citation) {
	key := "web"
	if c.Kind != llm.CiteURL {
		key = "retrievedContext"
	}
	w.BeginObject()
	w.Key(key)
	w.BeginObject()
	if c.URL != "" {
		w.StringField("uri", c.URL)
	}
	w.StringField("title", c.Title)
	if key != "web" && c.Text != "" {
		w.StringField("text", c.Text)
	}
	w.EndObject()
	w.EndObject()
}

func writeSupport(w *jsontext.Writer, t textCitations, c *llm.Citation, source int64) {
	start, end := t.text.Span(c.Start, c.End)
	w.BeginObject()
	w.Key("segment")
	w.BeginObject()
	if t.part > 0 {
		w.IntField("partIndex", int64(t.part))
	}
	w.IntField("startIndex", int64(start))
	w.IntField("endIndex", int64(end))
	w.StringField("text", string(t.text.Text()[start:end]))
	w.EndObject()
	w.Key("groundingChunkIndices")
	w.BeginArray()
	w.Int(source)
	w.EndArray()
	w.EndObject()
}
