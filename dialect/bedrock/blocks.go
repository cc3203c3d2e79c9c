package bedrock

import (
	"errors"
	"fmt"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// readBlocks reads the content of a message or of the system prompt. A cache point is a mark on what stands before
// it; one with nothing before it marks nothing.
func readBlocks(v jsontext.Value) ([]llm.Part, *llm.CacheMark, error) {
	if v.Kind() != jsontext.Array {
		return nil, nil, jsontext.Mismatch("array of content blocks", v)
	}
	var parts []llm.Part
	var before *llm.CacheMark
	err := v.Array(func(_ int, block jsontext.Value) error {
		key, member, err := only(block)
		if err != nil {
			return err
		}
		if key == "cachePoint" {
			mark, err := readCachePoint(member)
			if len(parts) > 0 {
				parts[len(parts)-1].Cache = mark
			} else {
				before = mark
			}
			return jsontext.At(key, err)
		}
		p, err := readBlock(key, member, block)
		if err == nil {
			parts = append(parts, p)
		}
		return jsontext.At(key, err)
	})
	return parts, before, err
}

// readBlock reads one content block of a request or of an answer [bed:ContentBlock]. Kinds that llm has no word for
// stay opaque.
func readBlock(key string, v, block jsontext.Value) (llm.Part, error) {
	r := blockReader{}
	var err error
	switch key {
	case "text":
		r.part.Kind = llm.PartText
		r.part.Text, err = v.Text()
	case "image":
		r.part.Kind = llm.PartImage
		err = r.media(v, imageType)
	case "audio":
		r.part.Kind = llm.PartAudio
		err = r.media(v, audioType)
	case "document":
		r.part.Kind, r.part.Document = llm.PartDocument, &llm.Document{}
		err = r.document(v)
	case "toolUse":
		if isVendorsCall(v) {
			return opaqueBlock(key, v, block), nil
		}
		r.part.Kind, r.part.Call = llm.PartToolCall, &llm.ToolCall{}
		err = v.Object(r.toolUse)
		if err == nil && r.part.Call.Name == "" {
			err = jsontext.At("name", errors.New("want the tool's name"))
		}
	case "toolResult":
		if !v.Get("type").IsNull() {
			return opaqueBlock(key, v, block), nil
		}
		r.part.Kind, r.part.Result = llm.PartToolResult, &llm.ToolResult{}
		err = v.Object(r.toolResult)
	case "reasoningContent":
		return readReasoning(v)
	case "citationsContent":
		r.part.Kind = llm.PartText
		err = v.Object(r.cited)
	default:
		return opaqueBlock(key, v, block), nil
	}
	return r.part, err
}

// isVendorsCall reports whether a toolUse is of a tool that the vendor runs itself. What the client runs has no type, or
// one that says no more, which the API's description does not list.
func isVendorsCall(toolUse jsontext.Value) bool {
	kind := toolUse.Get("type")
	return !kind.IsNull() && !is(kind, "tool_use")
}

// blockReader fills a part with the members of its block.
type blockReader struct{ part llm.Part }

// rest keeps a member that llm has no word for.
func (r *blockReader) rest(key string, v jsontext.Value) {
	if !v.IsNull() {
		r.part.Extra = r.part.Extra.Add(issuer, key, clone(v))
	}
}

func (r *blockReader) toolUse(key string, v jsontext.Value) (err error) {
	switch key {
	case "toolUseId":
		r.part.Call.ID, err = v.Text()
	case "name":
		r.part.Call.Name, err = v.Text()
	case "input":
		r.part.Call.Args = string(jsontext.Compact(nil, v))
	case "type":
	default:
		r.rest(key, v)
	}
	return err
}

func (r *blockReader) toolResult(key string, v jsontext.Value) (err error) {
	switch key {
	case "toolUseId":
		r.part.Result.CallID, err = v.Text()
	case "status":
		r.part.Result.Error = is(v, "error")
	case "content":
		if v.Kind() != jsontext.Array {
			return jsontext.Mismatch("array", v)
		}
		err = v.Array(func(_ int, block jsontext.Value) error { return r.resultBlock(block) })
		if isEmptyResult(v) {
			r.part.Result.Parts = nil
		}
	case "type":
	default:
		r.rest(key, v)
	}
	return err
}

// isEmptyResult reports whether content is what this dialect sends for a result that holds nothing.
func isEmptyResult(content jsontext.Value) bool {
	return len(content) < 64 && string(jsontext.Compact(nil, content)) == emptyResult
}

const emptyResult = `[{"json":{}}]`

// resultBlock reads one block of a tool's result [bed:ToolResultContentBlock]. JSON is the text that it is.
func (r *blockReader) resultBlock(block jsontext.Value) error {
	key, v, err := only(block)
	if err != nil {
		return err
	}
	p := llm.Part{Kind: llm.PartText}
	if key == "json" {
		p.Text = string(jsontext.Compact(nil, v))
	} else if p, err = readBlock(key, v, block); err != nil {
		return jsontext.At(key, err)
	}
	r.part.Result.Parts = append(r.part.Result.Parts, p)
	return nil
}

// cited reads text with its citations [bed:CitationsContentBlock].
func (r *blockReader) cited(key string, v jsontext.Value) error {
	switch {
	case v.IsNull():
		return nil
	case key == "content":
		var b strings.Builder
		err := v.Array(func(_ int, piece jsontext.Value) error {
			said, err := forms.Text(piece.Get("text"))
			b.WriteString(said)
			return jsontext.At("text", err)
		})
		r.part.Text = b.String()
		return err
	case key == "citations":
		return v.Array(func(_ int, c jsontext.Value) error {
			r.part.Citations = append(r.part.Citations, readCitation(c))
			return nil
		})
	}
	r.rest(key, v)
	return nil
}

// readCitation reads a citation [bed:Citation]. It holds for the whole block it stands in.
func readCitation(v jsontext.Value) llm.Citation {
	c := llm.Citation{
		Kind:   llm.CiteDocument,
		Title:  forms.TextOf(v.Get("title")),
		Opaque: &llm.Opaque{Dialect: issuer, Type: "citation", Raw: clone(v)},
	}
	var words []string
	_ = v.Get("sourceContent").Array(func(_ int, piece jsontext.Value) error { // not an array: no words
		words = append(words, forms.TextOf(piece.Get("text")))
		return nil
	})
	c.Text = strings.Join(words, "")
	location := v.Get("location")
	switch {
	case !location.Get("web").IsNull():
		c.Kind, c.URL = llm.CiteURL, forms.TextOf(location.Get("web", "url"))
	case !location.Get("searchResultLocation").IsNull():
		c.URL = forms.TextOf(v.Get("source"))
	}
	return c
}

// writeCitation writes a citation: as the vendor did, or of what is known of another vendor's.
func writeCitation(w *jsontext.Writer, c *llm.Citation) {
	if c.Opaque != nil && c.Opaque.Dialect == issuer {
		w.Raw(c.Opaque.Raw)
		return
	}
	w.BeginObject()
	if c.Title != "" {
		w.StringField("title", c.Title)
	}
	if c.Text != "" {
		w.Key("sourceContent")
		w.BeginArray()
		w.BeginObject()
		w.StringField("text", c.Text)
		w.EndObject()
		w.EndArray()
	}
	if c.URL != "" {
		w.Key("location")
		w.BeginObject()
		w.Key("web")
		w.BeginObject()
		w.StringField("url", c.URL)
		w.EndObject()
		w.EndObject()
	}
	w.EndObject()
}

func readCachePoint(v jsontext.Value) (*llm.CacheMark, error) {
	if v.Kind() != jsontext.Object {
		return nil, jsontext.Mismatch("object", v)
	}
	ttl, err := forms.Text(v.Get("ttl"))
	return &llm.CacheMark{TTL: ttl}, jsontext.At("ttl", err)
}

// opaqueBlock keeps a block that only this dialect knows, with what it says in words where that can be said. What
// stands under a guardrail cannot: the guardrail is the point of it.
func opaqueBlock(key string, v, block jsontext.Value) llm.Part {
	return llm.Part{
		Kind:   llm.PartOpaque,
		Text:   inWords(key, v),
		Opaque: &llm.Opaque{Dialect: issuer, Type: key, Raw: clone(block)},
	}
}

// maxWords bounds what is said of an opaque block, in bytes.
const maxWords = 16 << 10

// inWords says for another vendor's model what a block of this dialect's own holds; nothing for what cannot be said.
func inWords(key string, v jsontext.Value) string {
	switch key {
	case "searchResult":
		return fmt.Sprintf("[%s, %s]\n%s", forms.TextOf(v.Get("title")), forms.TextOf(v.Get("source")), textsOf(v.Get("content")))
	case "toolUse":
		return "[" + forms.TextOf(v.Get("name")) + " " + forms.Excerpt(string(jsontext.Compact(nil, v.Get("input"))), maxWords) + "]"
	case "toolResult":
		return "[result: " + textsOf(v.Get("content")) + "]"
	}
	return ""
}

// textsOf joins what the blocks of an array say in text or JSON.
func textsOf(content jsontext.Value) string {
	var texts []string
	_ = content.Array(func(_ int, block jsontext.Value) error { // not an array: no texts
		said := forms.TextOf(block.Get("text"))
		if data := block.Get("json"); said == "" && !data.IsNull() {
			said = string(jsontext.Compact(nil, data))
		}
		if said != "" {
			texts = append(texts, said)
		}
		return nil
	})
	return forms.Excerpt(strings.Join(texts, "\n"), maxWords)
}
