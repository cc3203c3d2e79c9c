package anthropic

import (
	"errors"
	"fmt"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// readBlocks reads content: a string or an array of blocks.
func readBlocks(v jsontext.Value) ([]llm.Part, error) {
	switch v.Kind() {
	case jsontext.String:
		s, err := v.Text()
		if err != nil || s == "" {
			return nil, err
		}
		return []llm.Part{llm.Text(s)}, nil
	case jsontext.Array:
	default:
		return nil, jsontext.Mismatch("string or array of content blocks", v)
	}
	var parts []llm.Part
	err := v.Array(func(_ int, block jsontext.Value) error {
		p, err := readBlock(block)
		if err == nil {
			parts = append(parts, p)
		}
		return err
	})
	return parts, err
}

// readBlock reads one content block of a request or of an answer. Types that llm has no word for stay opaque.
func readBlock(v jsontext.Value) (llm.Part, error) {
	if v.Kind() != jsontext.Object {
		return llm.Part{}, jsontext.Mismatch("content block", v)
	}
	kind, err := v.Get("type").Text()
	if err != nil {
		return llm.Part{}, jsontext.At("type", err)
	}
	r := blockReader{part: llm.Part{}}
	switch kind {
	case blockText:
		r.part.Kind = llm.PartText
		err = v.Object(r.text)
	case blockThinking:
		return readThinking(v)
	case blockRedacted:
		return readRedacted(v)
	case blockToolUse:
		r.part.Kind, r.part.Call = llm.PartToolCall, &llm.ToolCall{}
		err = v.Object(r.toolUse)
		if err == nil && r.part.Call.Name == "" {
			err = jsontext.At("name", errors.New("want the tool's name"))
		}
	case blockToolResult:
		r.part.Kind, r.part.Result = llm.PartToolResult, &llm.ToolResult{}
		err = v.Object(r.toolResult)
	case blockImage:
		r.part.Kind = llm.PartImage
		err = v.Object(r.image)
		if err == nil && r.part.Media == nil {
			err = jsontext.At("source", jsontext.Mismatch("object", nil))
		}
	case blockDocument:
		r.part.Kind, r.part.Document = llm.PartDocument, &llm.Document{}
		err = v.Object(r.document)
	default:
		return opaqueBlock(kind, v), nil
	}
	return r.part, err
}

// blockReader fills a part with the members of its block.
type blockReader struct{ part llm.Part }

// rest reads the members that any block may have.
func (r *blockReader) rest(key string, v jsontext.Value) error {
	switch key {
	case "type":
	case "cache_control":
		mark, err := readCacheMark(v)
		r.part.Cache = mark
		return err
	default:
		if !v.IsNull() {
			r.part.Extra = r.part.Extra.Add(issuer, key, clone(v))
		}
	}
	return nil
}

func (r *blockReader) text(key string, v jsontext.Value) (err error) {
	switch key {
	case "text":
		r.part.Text, err = v.Text()
	case "citations":
		r.part.Citations, err = readCitations(v)
	default:
		err = r.rest(key, v)
	}
	return err
}

func (r *blockReader) toolUse(key string, v jsontext.Value) (err error) {
	switch key {
	case "id":
		r.part.Call.ID, err = v.Text()
	case "name":
		r.part.Call.Name, err = v.Text()
	case "input":
		r.part.Call.Args = string(jsontext.Compact(nil, v))
	case "caller":
		if is(v.Get("type"), "direct") { // the default, said aloud
			return nil
		}
		err = r.rest(key, v)
	default:
		err = r.rest(key, v)
	}
	return err
}

func (r *blockReader) toolResult(key string, v jsontext.Value) (err error) {
	switch key {
	case "tool_use_id":
		r.part.Result.CallID, err = v.Text()
	case "is_error":
		if !v.IsNull() {
			r.part.Result.Error, err = v.Bool()
		}
	case "content":
		if !v.IsNull() {
			r.part.Result.Parts, err = readBlocks(v)
		}
	default:
		err = r.rest(key, v)
	}
	return err
}

func (r *blockReader) image(key string, v jsontext.Value) (err error) {
	if key != "source" {
		return r.rest(key, v)
	}
	r.part.Media, err = readSource(v)
	return err
}

func (r *blockReader) document(key string, v jsontext.Value) (err error) {
	d := r.part.Document
	switch key {
	case "source":
		switch {
		case is(v.Get("type"), "text"):
			d.Text, err = v.Get("data").Text()
			err = jsontext.At("data", err)
		case is(v.Get("type"), "content"):
			d.Parts, err = readBlocks(v.Get("content"))
			err = jsontext.At("content", err)
		default:
			r.part.Media, err = readSource(v)
			if err == nil && r.part.Media.URL != "" {
				r.part.Media.Type = pdf // the only kind that has a source by URL
			}
		}
	case "title":
		d.Name, err = forms.Text(v)
	case "context":
		d.Context, err = forms.Text(v)
	case "citations":
		if enabled := v.Get("enabled"); !enabled.IsNull() {
			var on bool
			on, err = enabled.Bool()
			d.Citations = &on
		}
	default:
		err = r.rest(key, v)
	}
	return err
}

// readThinking reads a thinking block. One that carries this gateway's own signature was signed by another vendor, or by
// nobody.
func readThinking(v jsontext.Value) (llm.Part, error) {
	p := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}}
	var err error
	if p.Text, err = forms.Text(v.Get("thinking")); err != nil {
		return p, jsontext.At("thinking", err)
	}
	signature, err := forms.Text(v.Get("signature"))
	p.Thinking.Issuer, p.Thinking.Signature = issued(signature)
	return p, jsontext.At("signature", err)
}

func readRedacted(v jsontext.Value) (llm.Part, error) {
	p := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}}
	data, err := v.Get("data").Text()
	p.Thinking.Issuer, p.Thinking.Sealed = issued(data)
	return p, jsontext.At("data", err)
}

// readSource reads where an image or a document comes from.
func readSource(v jsontext.Value) (*llm.Media, error) {
	kind, err := v.Get("type").Text()
	if err != nil {
		return nil, jsontext.At("type", err)
	}
	var m llm.Media
	var at string
	switch kind {
	case "base64":
		if m.Type, err = v.Get("media_type").Text(); err != nil {
			return nil, jsontext.At("media_type", err)
		}
		at = "data"
		m.Data, err = v.Get(at).Text()
	case "url":
		at = "url"
		m.URL, err = v.Get(at).Text()
	case "file":
		at = "file_id"
		m.FileID, err = v.Get(at).Text()
		m.Issuer = issuer
	default:
		return nil, jsontext.At("type", fmt.Errorf("want base64, url or file, got %q", forms.Excerpt(kind, 40)))
	}
	if err == nil && m.Data == "" && m.URL == "" && m.FileID == "" {
		err = errors.New("want it not empty")
	}
	return &m, jsontext.At(at, err)
}

func readCacheMark(v jsontext.Value) (*llm.CacheMark, error) {
	if v.IsNull() {
		return nil, nil //nolint:nilnil // no mark is an answer
	}
	if v.Kind() != jsontext.Object {
		return nil, jsontext.Mismatch("object", v)
	}
	ttl, err := forms.Text(v.Get("ttl"))
	return &llm.CacheMark{TTL: ttl}, jsontext.At("ttl", err)
}

func readCitations(v jsontext.Value) ([]llm.Citation, error) {
	if v.IsNull() {
		return nil, nil
	}
	var list []llm.Citation
	err := v.Array(func(_ int, c jsontext.Value) error {
		list = append(list, readCitation(c))
		return nil
	})
	return list, err
}

// readCitation reads a citation [ant:ResponseTextBlock.citations]. It holds for the whole block it stands in.
func readCitation(v jsontext.Value) llm.Citation {
	kind := forms.TextOf(v.Get("type"))
	c := llm.Citation{
		Kind:   llm.CiteDocument,
		Title:  forms.TextOf(v.Get("document_title")),
		Text:   forms.TextOf(v.Get("cited_text")),
		Opaque: &llm.Opaque{Dialect: issuer, Type: kind, Raw: clone(v)},
	}
	switch kind {
	case "web_search_result_location":
		c.Kind, c.Title, c.URL = llm.CiteURL, forms.TextOf(v.Get("title")), forms.TextOf(v.Get("url"))
	case "search_result_location":
		c.Title, c.URL = forms.TextOf(v.Get("title")), forms.TextOf(v.Get("source"))
	}
	return c
}

// opaqueBlock keeps a block that only this dialect knows, with what it says in words where that can be said.
func opaqueBlock(kind string, v jsontext.Value) llm.Part {
	return llm.Part{
		Kind:   llm.PartOpaque,
		Text:   inWords(kind, v),
		Opaque: &llm.Opaque{Dialect: issuer, Type: kind, Raw: clone(v)},
	}
}

// maxWords bounds what is said of an opaque block, in bytes.
const maxWords = 16 << 10

// inWords says for another vendor's model what a block of the vendor's own tools holds. Encrypted content is left
// out. It is empty for what cannot be said, such as a file that only the vendor has.
func inWords(kind string, v jsontext.Value) string {
	content := v.Get("content")
	switch kind {
	case "server_tool_use", "mcp_tool_use":
		if query := forms.TextOf(v.Get("input", "query")); query != "" {
			return "[" + forms.TextOf(v.Get("name")) + ": " + query + "]"
		}
		return "[" + forms.TextOf(v.Get("name")) + " " + forms.Excerpt(string(jsontext.Compact(nil, v.Get("input"))), maxWords) + "]"
	case "web_search_tool_result":
		return searchInWords(content)
	case "web_fetch_tool_result":
		return fetchInWords(content)
	case "code_execution_tool_result", "bash_code_execution_tool_result":
		return outputInWords(content)
	case "search_result":
		return "[" + forms.TextOf(v.Get("title")) + ", " + forms.TextOf(v.Get("source")) + "]\n" + textsInWords(content)
	case "mcp_tool_result":
		return "[result: " + textsInWords(content) + "]"
	case "compaction":
		return forms.TextOf(content)
	case "fallback":
		return "[Another model continued this answer.]"
	}
	if strings.HasSuffix(kind, "_tool_result") && !content.IsNull() {
		return "[" + kind + ": " + forms.Excerpt(string(jsontext.Compact(nil, content)), maxWords) + "]"
	}
	return ""
}

func searchInWords(content jsontext.Value) string {
	if code := forms.TextOf(content.Get("error_code")); code != "" {
		return "[The web search failed: " + code + "]"
	}
	var b strings.Builder
	b.WriteString("[Web search results:")
	_ = content.Array(func(_ int, r jsontext.Value) error { // not an array: no results
		b.WriteString("\n- " + forms.TextOf(r.Get("title")) + ": " + forms.TextOf(r.Get("url")))
		return nil
	})
	b.WriteByte(']')
	return b.String()
}

func fetchInWords(content jsontext.Value) string {
	if code := forms.TextOf(content.Get("error_code")); code != "" {
		return "[Fetching the page failed: " + code + "]"
	}
	words := "[Fetched " + forms.TextOf(content.Get("url"))
	if is(content.Get("content", "source", "type"), "text") {
		words += ":\n" + forms.Excerpt(forms.TextOf(content.Get("content", "source", "data")), maxWords)
	}
	return words + "]"
}

func outputInWords(content jsontext.Value) string {
	if code := forms.TextOf(content.Get("error_code")); code != "" {
		return "[Running the code failed: " + code + "]"
	}
	words := "[Output of the code, exit status " + string(content.Get("return_code")) + ":\n" +
		forms.Excerpt(forms.TextOf(content.Get("stdout")), maxWords)
	if stderr := forms.TextOf(content.Get("stderr")); stderr != "" {
		words += "\n" + forms.Excerpt(stderr, maxWords)
	}
	return words + "]"
}

// textsInWords joins the texts of a string or of an array of text blocks.
func textsInWords(content jsontext.Value) string {
	if content.Kind() == jsontext.String {
		return forms.Excerpt(forms.TextOf(content), maxWords)
	}
	var texts []string
	_ = content.Array(func(_ int, block jsontext.Value) error { // not an array: no texts
		if t := forms.TextOf(block.Get("text")); t != "" {
			texts = append(texts, t)
		}
		return nil
	})
	return forms.Excerpt(strings.Join(texts, "\n"), maxWords)
}
