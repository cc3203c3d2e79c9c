package openairesponses

import (
	"unicode/utf8"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// beginContent writes that a content of a message begins.
func (s *streamWriter) beginContent(dst []byte, kind llm.PartKind) []byte {
	it := &s.item
	it.content = typeOutputText
	if kind == llm.PartRefusal {
		it.content = typeRefusal
	}
	if s.quiet {
		return dst
	}
	const event = "response." + eventPartAdded
	w := s.itemEvent(event)
	w.IntField("content_index", int64(it.index))
	w.Key("part")
	it.writeContent(w)
	return s.send(dst, event)
}

// writeContent writes the open content as it is now.
func (it *shownItem) writeContent(w *jsontext.Writer) {
	w.BeginObject()
	w.StringField("type", it.content)
	if it.content == typeRefusal {
		w.StringField(typeRefusal, it.said.String())
		w.EndObject()
		return
	}
	w.StringField("text", it.said.String())
	w.Key("annotations")
	w.BeginArray()
	for i := range it.notes {
		writeAnnotation(w, &it.notes[i], it.said.String())
	}
	w.EndArray()
	w.Key("logprobs")
	writeTokens(w, it.probs, true)
	w.EndObject()
}

// text writes a piece of a message's text, with the logprobs that came before it or came for it.
func (s *streamWriter) text(dst []byte, text string, probs []llm.TokenLogProb) []byte {
	it := &s.item
	if it.ended != stageOpen {
		dst = s.beginContent(s.endText(dst), llm.PartText)
	}
	it.said.WriteString(text)
	event := "response." + eventRefusalDelta
	isText := it.content == typeOutputText
	if isText {
		event = "response." + eventTextDelta
		if len(s.probs) > 0 {
			probs, s.probs = append(s.probs, probs...), nil
		}
		it.probs = append(it.probs, probs...)
	} else {
		s.probs = append(s.probs, probs...)
		if text == "" {
			return dst
		}
	}
	if s.quiet {
		return dst
	}
	w := s.itemEvent(event)
	w.IntField("content_index", int64(it.index))
	w.StringField("delta", text)
	if isText {
		w.Key("logprobs")
		writeTokens(w, probs, true)
	}
	return s.send(dst, event)
}

// annotate writes a citation; one of the whole text waits for its end.
func (s *streamWriter) annotate(dst []byte, c *llm.Citation) []byte {
	it := &s.item
	it.notes = append(it.notes, *c)
	if c.Start == 0 && c.End == 0 && (c.Opaque == nil || c.Opaque.Dialect != self) {
		return dst
	}
	return s.annotations(dst, false)
}

// annotations writes the citations that are not on the wire yet: all of them, or those before the first one of the
// whole text.
func (s *streamWriter) annotations(dst []byte, all bool) []byte {
	if s.quiet {
		return dst
	}
	it := &s.item
	const event = "response." + eventAnnotation
	for it.written < len(it.notes) {
		c := &it.notes[it.written]
		if !all && c.Start == 0 && c.End == 0 && (c.Opaque == nil || c.Opaque.Dialect != self) {
			break
		}
		w := s.itemEvent(event)
		w.IntField("content_index", int64(it.index))
		w.IntField("annotation_index", int64(it.written))
		w.Key("annotation")
		writeAnnotation(w, c, it.said.String())
		it.written++
		dst = s.send(dst, event)
	}
	return dst
}

// hasAnnotation reports whether the dialect has a form for a citation.
func hasAnnotation(c *llm.Citation) bool {
	return c.Kind == llm.CiteURL || c.Opaque != nil && c.Opaque.Dialect == self
}

// writeAnnotation writes a citation of a text.
func writeAnnotation(w *jsontext.Writer, c *llm.Citation, text string) {
	if c.Opaque != nil && c.Opaque.Dialect == self {
		w.Raw(c.Opaque.Raw)
		return
	}
	start, end := c.Start, c.End
	if start == 0 && end == 0 {
		end = utf8.RuneCountInString(text)
	}
	w.BeginObject()
	w.StringField("type", "url_citation")
	w.IntField("start_index", int64(start))
	w.IntField("end_index", int64(end))
	w.StringField("url", c.URL)
	w.StringField("title", c.Title)
	w.EndObject()
}

// endText ends the content that is open, and keeps it for the message's end.
func (s *streamWriter) endText(dst []byte) []byte {
	it := &s.item
	if it.content == "" {
		return dst
	}
	dst = s.annotations(dst, true)
	var w jsontext.Writer
	w.Reset(make([]byte, 0, 128+it.said.Len()+it.said.Len()/8))
	it.writeContent(&w)
	part := w.Bytes()
	if !s.quiet {
		dst = s.textEvents(dst, part)
	}
	it.before = append(it.before, part)
	it.index++
	it.content, it.notes, it.written, it.probs, it.ended = "", nil, 0, nil, stageOpen
	it.said.Reset()
	return dst
}

// textEvents writes that a content has ended, in both events that say so.
func (s *streamWriter) textEvents(dst []byte, part []byte) []byte {
	it := &s.item
	kind, key := "response."+eventTextDone, "text"
	if it.content == typeRefusal {
		kind, key = "response."+eventRefusalDone, typeRefusal
	}
	if it.ended < stageText {
		w := s.itemEvent(kind)
		w.IntField("content_index", int64(it.index))
		w.StringField(key, it.said.String())
		if key == "text" {
			w.Key("logprobs")
			writeTokens(w, it.probs, true)
		}
		dst = s.send(dst, kind)
	}
	if it.ended == stagePart {
		return dst
	}
	const event = "response." + eventPartDone
	w := s.itemEvent(event)
	w.IntField("content_index", int64(it.index))
	w.RawField("part", part)
	return s.send(dst, event)
}

// writeTokens writes logprobs: openai.yaml, LogProb.
func writeTokens(w *jsontext.Writer, list []llm.TokenLogProb, withTop bool) {
	w.BeginArray()
	for i := range list {
		t := &list[i]
		w.BeginObject()
		w.StringField("token", t.Token)
		w.FloatField("logprob", t.LogProb)
		w.Key("bytes")
		w.BeginArray()
		for _, b := range t.Bytes {
			w.Int(int64(b))
		}
		w.EndArray()
		if withTop {
			w.Key("top_logprobs")
			writeTokens(w, t.Top, false)
		}
		w.EndObject()
	}
	w.EndArray()
}
