package dialecttest

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
)

// RunOperation holds a dialect of embeddings or of ranking against the scenarios of its operation. The golden files
// are those of Run, less the streams and the list of errors, which are those of the same vendor's Generate.
func RunOperation(t *testing.T, d *dialect.Dialect, dir string) {
	t.Helper()
	for _, s := range operationScenarios() {
		if s.operation() != d.Operation {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			r := runner{d: d, s: s, dir: filepath.Join(dir, s.Name)}
			if s.Request != nil {
				r.operationRequest(t)
			}
			if s.Response != nil {
				r.operationResponse(t)
			}
		})
	}
	t.Run("tables", func(t *testing.T) { tables(t, d) })
	t.Run("errors", func(t *testing.T) {
		for _, info := range llm.Codes() {
			status, body := d.Client.EncodeError(&llm.Error{Code: info.Code, Origin: llm.OriginGateway, Message: info.Doc}, "call_1")
			checkErrorBody(t, info.Code, status, body)
			checkDecoded(t, info, d.Provider.DecodeError(status, body))
		}
		oddErrors(t, d)
	})
	t.Run("odd answers", func(t *testing.T) { oddAnswers(t, d) })
}

// operation is what the scenario is about.
func (s *Scenario) operation() dialect.Operation {
	for _, r := range []*llm.Request{s.Request, s.asked()} {
		switch {
		case r == nil:
		case r.Embed != nil:
			return dialect.Embed
		case r.Rerank != nil:
			return dialect.Rerank
		}
	}
	return dialect.Generate
}

func (s *Scenario) asked() *llm.Request {
	if s.Response == nil {
		return nil
	}
	return s.Response.Asked
}

// operationScenarios are the canonical requests for vectors and rankings, and their answers.
func operationScenarios() []Scenario {
	return slices.Concat(embedRequests(), embedResponses(), rankScenarios())
}

func embedRequests() []Scenario {
	const pixel = "iVBORw0KGgo="
	image := llm.Part{Kind: llm.PartImage, Media: &llm.Media{Type: "image/png", Data: pixel}}
	ask := func(name string, e llm.Embed) Scenario {
		if e.Inputs == nil {
			e.Inputs = []llm.EmbedInput{{Text: "the sea"}}
		}
		return Scenario{Name: name, Request: &llm.Request{Model: "m", Embed: &e}}
	}
	list := []Scenario{
		ask("text", llm.Embed{}),
		ask("texts", llm.Embed{Inputs: []llm.EmbedInput{{Text: "the sea"}, {Text: "na\u00efve \"海\" \U0001F600"}, {Text: ""}}}),
		ask("tokens", llm.Embed{Inputs: []llm.EmbedInput{{Tokens: []byte("[1,2]")}}}),
		ask("token-lists", llm.Embed{Inputs: []llm.EmbedInput{{Tokens: []byte("[1,2]")}, {Tokens: []byte("[3]")}}}),
		ask("dimensions", llm.Embed{Dimensions: new(int64(256))}),
		ask("base64", llm.Embed{Kinds: []llm.VectorKind{llm.VectorBase64}}),
		ask("both-kinds", llm.Embed{Kinds: []llm.VectorKind{llm.VectorFloat, llm.VectorBase64}}),
		ask("bytes", llm.Embed{Kinds: []llm.VectorKind{llm.VectorFloat, llm.VectorInt8, llm.VectorUbinary}}),
		ask("image", llm.Embed{Inputs: []llm.EmbedInput{{Parts: []llm.Part{image}}}}),
		ask("image-url", llm.Embed{Inputs: []llm.EmbedInput{{Parts: []llm.Part{{Kind: llm.PartImage, Media: &llm.Media{URL: "https://example.com/a.png"}}}}}}),
		ask("text-and-image", llm.Embed{Inputs: []llm.EmbedInput{{Parts: []llm.Part{llm.Text("a gull"), image}}, {Text: "alone"}}}),
		ask("joined-texts", llm.Embed{Inputs: []llm.EmbedInput{{Parts: []llm.Part{llm.Text("a gull"), llm.Text("a boat")}}}}),
	}
	for _, p := range []llm.Purpose{llm.PurposeQuery, llm.PurposeDocument, llm.PurposeClassification, llm.PurposeClustering} {
		list = append(list, ask("for-"+string(p), llm.Embed{Purpose: p}))
	}
	for _, cut := range []llm.Truncate{llm.TruncateNone, llm.TruncateStart, llm.TruncateEnd} {
		list = append(list, ask("truncate-"+string(cut), llm.Embed{Truncate: cut}))
	}
	user := ask("user", llm.Embed{})
	user.Request.User = "u-1"
	return append(list, user)
}

func embedResponses() []Scenario {
	numbers := []llm.Vector{{Numbers: []byte("[0.5,-0.25,1e-07]")}, {Numbers: []byte("[0.1,0.0175018310546875,-0.02139386720955372]")}}
	packed := make([]llm.Vector, len(numbers))
	for i, v := range numbers {
		packed[i].Packed = must(vector.Pack(nil, v.Numbers))
	}
	answer := func(name string, r llm.Response, asked ...llm.VectorKind) Scenario {
		r.ID, r.Model = "resp_1", "model-x-2026"
		r.Asked = &llm.Request{Embed: &llm.Embed{Inputs: []llm.EmbedInput{{Text: "a"}, {Text: "b"}}, Kinds: asked}}
		return Scenario{Name: name, Response: &r}
	}
	floats := []llm.Vectors{{Kind: llm.VectorFloat, List: numbers}}
	counted := llm.Usage{Known: true, InFresh: 7}
	return []Scenario{
		answer("vectors", llm.Response{Vectors: floats, Usage: counted}),
		answer("vectors-packed", llm.Response{Vectors: []llm.Vectors{{Kind: llm.VectorBase64, List: packed}}, Usage: counted}),
		answer("vectors-asked-packed", llm.Response{Vectors: floats, Usage: counted}, llm.VectorBase64),
		answer("vectors-bytes", llm.Response{
			Vectors: []llm.Vectors{floats[0], {Kind: llm.VectorInt8, List: []llm.Vector{{Numbers: []byte("[1,-2]")}, {Numbers: []byte("[3,4]")}}}}, Usage: counted,
		}, llm.VectorFloat, llm.VectorInt8),
		answer("vectors-usage-unknown", llm.Response{Vectors: floats}),
	}
}

func rankScenarios() []Scenario {
	rank := llm.Rerank{Query: "gulls", Documents: []llm.RankInput{{Text: "a gull"}, {Text: "na\u00efve \"海\""}}}
	ask := func(name string, change func(*llm.Rerank)) Scenario {
		r := rank
		change(&r)
		return Scenario{Name: name, Request: &llm.Request{Model: "m", Rerank: &r}}
	}
	answer := func(name string, u llm.Usage, change func(*llm.Rerank)) Scenario {
		s := ask(name, change)
		return Scenario{Name: name, Response: &llm.Response{
			ID: "resp_1", Model: "model-x-2026", Usage: u, Asked: s.Request, Ranking: []llm.Ranked{{Index: 1, Score: 0.9980122}, {Index: 0, Score: 0.00015720345}},
		}}
	}
	same := func(*llm.Rerank) {}
	return []Scenario{
		ask("documents", same),
		ask("top-n", func(r *llm.Rerank) { r.TopN = new(int64(1)) }),
		ask("return-documents", func(r *llm.Rerank) { r.ReturnDocuments = true }),
		ask("document-fields", func(r *llm.Rerank) {
			r.Documents = []llm.RankInput{{Text: "a gull", Raw: []byte(`{"text":"a gull","title":"Birds"}`), More: true}}
		}),
		answer("ranking", llm.Usage{}, same),
		answer("ranking-usage", llm.Usage{Known: true, InFresh: 12}, same),
		answer("ranking-documents", llm.Usage{}, func(r *llm.Rerank) { r.ReturnDocuments = true }),
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b
}

// operationRequest holds the provider side's encoding and the client side's decoding against each other.
func (r *runner) operationRequest(t *testing.T) {
	target := dialect.Target{Model: model, Facts: r.s.Facts}
	losses := dialect.Contract(stranger, r.d, r.s.Request)
	refused, _ := llm.LossReport.Apply(losses)
	if len(refused) > 0 {
		r.refused(t, []byte(dialect.RefusalMessage(refused, r.d.Name)+"\n"))
		return
	}
	before := show(r.s.Request)
	enc, err := r.d.Provider.EncodeRequest(r.s.Request, target)
	if after := show(r.s.Request); after != before {
		t.Errorf("EncodeRequest changed the request: got %s want %s", after, before)
	}
	if err != nil {
		r.refused(t, []byte(asError(t, err).Error()+"\n"))
		return
	}
	r.golden(t, "refused.txt", nil)
	r.golden(t, "losses.txt", lossLines(append(losses, enc.Losses...)))
	all := pretty(t, enc.Body)
	for _, body := range enc.More {
		all = append(all, pretty(t, body)...)
	}
	r.golden(t, "request.json", all)
	got, err := r.d.Client.DecodeRequest(enc.Body)
	if err != nil {
		t.Fatalf("DecodeRequest of what EncodeRequest wrote: %v\n%s", err, enc.Body)
	}
	again, err := r.d.Provider.EncodeRequest(got, target)
	if err != nil || !bytes.Equal(again.Body, enc.Body) {
		t.Errorf("encoded a second time: got %v\n%s\nwant\n%s", err, again.Body, enc.Body)
	}
	if len(losses)+len(enc.Losses)+len(enc.More) == 0 {
		equal(t, "decode(encode(request))", meaningOf(got), meaningOf(r.s.Request))
	}
	peeked, err := r.d.Relay.Peek(enc.Body)
	if err != nil || peeked.Stream || peeked.Model != got.Model && peeked.Model != "" { // some paths name it
		t.Errorf("Peek: got %+v, %v want model %q", peeked, err, got.Model)
	}
	if stripped, lost, err := r.d.Relay.Strip(enc.Body); err != nil || len(lost) > 0 || !bytes.Equal(stripped, enc.Body) {
		t.Errorf("Strip: got %s, %v, %v want the request itself", stripped, lost, err)
	}
}

// meaningOf is what a request asks for, however it is written: base64 is a way of writing numbers, and cutting is what
// some vendors do unasked; and documents are given back by whoever has them.
func meaningOf(r *llm.Request) any {
	var texts []string
	if r.Rerank != nil {
		return []any{r.Rerank.Query, r.Rerank.Documents, r.Rerank.TopN}
	}
	for i := range r.Embed.Inputs {
		text, ok := r.Embed.Inputs[i].Plain()
		if !ok {
			text = show(r.Embed.Inputs[i])
		}
		texts = append(texts, text)
	}
	return []any{texts, r.Embed.Purpose, r.Embed.Dimensions, r.User}
}

// operationResponse holds the client side's encoding and the provider side's decoding against each other.
func (r *runner) operationResponse(t *testing.T) {
	body, losses, err := r.d.Client.EncodeResponse(r.s.Response)
	if err != nil {
		r.golden(t, "unshown.txt", []byte(asError(t, err).Error()+"\n"))
		return
	}
	r.golden(t, "response.json", pretty(t, body))
	r.golden(t, "hidden.txt", lossLines(losses))
	got, err := r.d.Provider.DecodeResponse(body)
	if err != nil {
		t.Fatalf("DecodeResponse of what EncodeResponse wrote: %v", err)
	}
	equal(t, "vectors", bitsOf(t, got), bitsOf(t, r.s.Response))
	equal(t, "ranking", got.Ranking, r.s.Response.Ranking)
	if got.Usage.Known && got.Usage.Input() != r.s.Response.Usage.Input() {
		t.Errorf("usage: got %+v want %+v", got.Usage, r.s.Response.Usage)
	}
	tap := r.d.Relay.NewTap(dialect.Ask{})
	seen, err := tap.Body(body)
	if err != nil || !seen.Content || tap.Usage() != got.Usage {
		t.Errorf("Body: got %+v, usage %+v, %v want content and usage %+v", seen, tap.Usage(), err, got.Usage)
	}
	for n := range body {
		if r, err := r.d.Provider.DecodeResponse(body[:n]); err == nil {
			t.Errorf("DecodeResponse of the first %d bytes: got %+v want an error", n, r)
		}
	}
}

// bitsOf are the floats of an answer, packed.
func bitsOf(t *testing.T, r *llm.Response) (list [][]byte) {
	t.Helper()
	for _, v := range r.VectorsOf() {
		packed := v.Packed
		if packed == nil {
			var err error
			if packed, err = vector.Pack(nil, v.Numbers); err != nil {
				t.Errorf("got %v for %s", err, v.Numbers)
			}
		}
		list = append(list, packed)
	}
	return list
}

// oddAnswers are no answers, and no panics.
func oddAnswers(t *testing.T, d *dialect.Dialect) {
	for _, body := range []string{
		"", " ", "null", "[]", "{}", "7", "{", `{"data":[]}`, `{"data":[{}]}`, `{"data":[null]}`, `{"data":[{"embedding":[]}]}`,
		`{"data":[{"embedding":[null]}]}`, `{"data":[{"embedding":"!"}]}`, `{"data":[{"embedding":"AAA="}]}`, `{"data":[{"embedding":[1],"index":1}]}`,
		`{"data":[{"embedding":[1],"index":0},{"embedding":[2],"index":0}]}`, `{"data":[{"embedding":[1],"index":"x"}]}`,
		`{"embeddings":{}}`, `{"embeddings":[]}`, `{"embeddings":{"float":[]}}`, `{"embeddings":{"float":[[]]}}`, `{"embeddings":{"float":["!"]}}`,
		`{"embeddings":[{"values":[]}]}`, `{"embeddings":[null]}`, `{"embedding":null}`, `{"embedding":{"values":["x"]}}`,
		`{"results":null}`, `{"results":{}}`, `{"results":[{}]}`, `{"results":[{"index":0}]}`, `{"results":[{"index":"a","relevance_score":1}]}`, `{"results":[null]}`,
		`{"totalTokens":"x"}`, `{"input_tokens":-1}`, `{"input_tokens":null}`, strings.Repeat("[", 100000),
	} {
		r, err := d.Provider.DecodeResponse([]byte(body))
		if err == nil {
			t.Errorf("%.60s: got %s want an error", body, show(r))
			continue
		}
		_ = asError(t, err)
		if json.Valid([]byte(body)) && jsontext.Value(body).Kind() == jsontext.Object {
			_ = asError(t, d.Provider.DecodeError(500, []byte(body)))
		}
	}
	if _, err := d.Provider.NewStreamReader().Read(nil, dialect.Frame{Data: []byte("{}")}); err == nil {
		t.Error("got no error for a stream, which the dialect has not")
	}
}

// EqualVectors asserts that two answers have the same vectors, bit for bit.
func EqualVectors(t *testing.T, what string, got, want *llm.Response) {
	t.Helper()
	g, w := bitsOf(t, got), bitsOf(t, want)
	if len(w) == 0 || !slices.EqualFunc(g, w, bytes.Equal) {
		t.Errorf("%s: got %d vectors, %x… want %d, the same", what, len(g), g, len(w))
	}
}

// FuzzRequest decodes a request of sound JSON, and holds that what is written for it can be read again, and is written
// the same once more.
func FuzzRequest(t *testing.T, d *dialect.Dialect, body []byte) {
	t.Helper()
	_, _ = d.Relay.Peek(body)
	r, err := d.Client.DecodeRequest(body)
	if err != nil {
		_ = asError(t, err)
		return
	}
	enc, err := d.Provider.EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil {
		_ = asError(t, err)
		return
	}
	for _, body := range append([][]byte{enc.Body}, enc.More...) {
		if err := jsontext.Check(body, jsontext.Limits{}); err != nil {
			t.Fatalf("encoded request: %v\n%s", err, body)
		}
		again, err := d.Client.DecodeRequest(body)
		if err != nil {
			t.Fatalf("decode the encoded request: %v\n%s", err, body)
		}
		twice, err := d.Provider.EncodeRequest(again, dialect.Target{Model: "m"})
		if err != nil || !bytes.Equal(twice.Body, body) {
			t.Fatalf("encoded twice: %v: got %s want %s", err, twice.Body, body)
		}
	}
}

// FuzzResponse decodes an answer, and holds that what is written for it can be read again.
func FuzzResponse(t *testing.T, d *dialect.Dialect, body []byte) {
	t.Helper()
	r, err := d.Provider.DecodeResponse(body)
	if err != nil {
		_ = asError(t, err)
		_ = asError(t, d.Provider.DecodeError(500, body))
		return
	}
	out, _, err := d.Client.EncodeResponse(r)
	if err != nil {
		_ = asError(t, err)
		return
	}
	again, err := d.Provider.DecodeResponse(out)
	if err != nil {
		t.Fatalf("decode the encoded answer: %v\n%s", err, out)
	}
	if len(again.VectorsOf()) != len(r.VectorsOf()) || len(again.Ranking) != len(r.Ranking) {
		t.Fatalf("got %d vectors and %d ranks want %d and %d", len(again.VectorsOf()), len(again.Ranking), len(r.VectorsOf()), len(r.Ranking))
	}
}
