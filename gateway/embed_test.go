package gateway_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// embedAPI is a client dialect of embeddings as an application uses it.
type embedAPI struct {
	api
	dialect *dialect.Dialect
	vendor  string // the path at the simulated vendor
	ask     func(texts []string) map[string]any
	// dimensions, and the numbers in an answer.
	dimensions string
	vectors    func(body []byte) [][]float32
	provider   bool // it is spoken to providers only
	single     bool // a request has one input
}

// id is the provider that speaks the dialect, and id2 another.
func (a embedAPI) id() string  { return a.name + "1" }
func (a embedAPI) id2() string { return a.name + "2" }

func embedAPIs() []embedAPI {
	return []embedAPI{
		{
			api: api{name: "openai-embeddings", path: "/v1/embeddings"}, dialect: openaichat.NewEmbeddings(), vendor: "/v1/embeddings",
			ask:        func(texts []string) map[string]any { return map[string]any{"input": texts} },
			dimensions: "dimensions",
			vectors: func(body []byte) (list [][]float32) {
				var v struct {
					Data []struct{ Embedding json.RawMessage }
				}
				_ = json.Unmarshal(body, &v)
				for _, d := range v.Data {
					list = append(list, numbersIn(d.Embedding))
				}
				return list
			},
		},
		{
			api: api{name: "cohere-embed", path: "/v2/embed"}, dialect: cohere.NewEmbed(), vendor: "/v2/embed",
			ask: func(texts []string) map[string]any {
				return map[string]any{"texts": texts, "input_type": "search_document"}
			},
			dimensions: "output_dimension",
			vectors: func(body []byte) (list [][]float32) {
				var v struct {
					Embeddings struct{ Float []json.RawMessage }
				}
				_ = json.Unmarshal(body, &v)
				for _, one := range v.Embeddings.Float {
					list = append(list, numbersIn(one))
				}
				return list
			},
		},
		{
			api: api{name: "gemini-embed-batch"}, dialect: gemini.NewEmbedBatch(), vendor: "/v1beta/models/{model}:batchEmbedContents",
			ask: func(texts []string) map[string]any {
				list := make([]any, len(texts))
				for i, text := range texts {
					list[i] = map[string]any{"model": "models/x", "content": map[string]any{"parts": []any{map[string]any{"text": text}}}}
				}
				return map[string]any{"requests": list}
			},
			vectors: geminiVectors,
		},
		{
			api: api{name: "gemini-embed"}, dialect: gemini.NewEmbed(), vendor: "/v1beta/models/{model}:embedContent", single: true,
			ask: func(texts []string) map[string]any {
				return map[string]any{"content": map[string]any{"parts": []any{map[string]any{"text": texts[0]}}}}
			},
			dimensions: "outputDimensionality", vectors: geminiVectors,
		},
		{
			api: api{name: "ollama-embed", path: "/api/embed"}, dialect: ollama.NewEmbed(), vendor: "/api/embed",
			ask:        func(texts []string) map[string]any { return map[string]any{"input": texts} },
			dimensions: "dimensions",
			vectors: func(body []byte) [][]float32 {
				var v struct{ Embeddings [][]float32 }
				_ = json.Unmarshal(body, &v)
				return v.Embeddings
			},
		},
		{
			api: api{name: "vertex-embed"}, dialect: gemini.NewPredict(), vendor: "/v1/projects/p/locations/l/publishers/google/models/{model}:predict",
			ask: func(texts []string) map[string]any {
				list := make([]any, len(texts))
				for i, text := range texts {
					list[i] = map[string]any{"content": text, "task_type": "RETRIEVAL_DOCUMENT"}
				}
				return map[string]any{"instances": list}
			},
			vectors: func(body []byte) (list [][]float32) {
				var v struct {
					Predictions []struct{ Embeddings struct{ Values []float32 } }
				}
				_ = json.Unmarshal(body, &v)
				for _, p := range v.Predictions {
					list = append(list, p.Embeddings.Values)
				}
				return list
			},
		},
		{api: api{name: "voyage-embed"}, dialect: openaichat.NewVoyageEmbed(), vendor: "/voyage/v1/embeddings", provider: true},
		{api: api{name: "jina-embed"}, dialect: openaichat.NewJinaEmbed(), vendor: "/jina/v1/embeddings", provider: true},
		{api: api{name: "titan-embed"}, dialect: bedrock.NewTitanEmbed(), vendor: "/model/{model}/invoke", provider: true},
	}
}

func geminiVectors(body []byte) (list [][]float32) {
	type embedding struct{ Values []float32 }
	var v struct {
		Embedding  *embedding
		Embeddings []embedding
	}
	_ = json.Unmarshal(body, &v)
	if v.Embedding != nil {
		return [][]float32{v.Embedding.Values}
	}
	for _, e := range v.Embeddings {
		list = append(list, e.Values)
	}
	return list
}

// numbersIn reads a vector, as an array or as base64.
func numbersIn(raw json.RawMessage) (list []float32) {
	var packed string
	if json.Unmarshal(raw, &packed) != nil {
		_ = json.Unmarshal(raw, &list)
		return list
	}
	bits, _ := base64.StdEncoding.DecodeString(packed)
	for ; len(bits) >= 4; bits = bits[4:] {
		list = append(list, math.Float32frombits(binary.LittleEndian.Uint32(bits)))
	}
	return list
}

// embedWorld has two providers that speak each dialect of embeddings, "other1", which speaks the first one about
// another model, and those of every world.
func embedWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	for _, a := range embedAPIs() {
		opts = append(opts, withDialect(a.dialect, a.vendor, a.id(), a.id2()))
	}
	opts = append(opts, withDialect(embedAPIs()[0].dialect, embedAPIs()[0].vendor, "other1"))
	return newWorld(t, append(opts, withTimeouts(patient()))...)
}

// embed posts a request for vectors of texts.
func (w *world) embed(a embedAPI, model string, texts []string, more ...map[string]any) *answer {
	w.t.Helper()
	b := a.ask(texts)
	if a.path == "" { // the model is in it
		a.path = strings.Replace(a.vendor, "{model}", model, 1)
	} else {
		b["model"] = model
	}
	for _, m := range more {
		for k, v := range m {
			b[k] = v
		}
	}
	return w.post(a.api, b, nil)
}

// wantVectors are those that every simulated vendor makes.
func wantVectors(texts []string, dimensions int) [][]float32 {
	list := make([][]float32, len(texts))
	for i, text := range texts {
		list[i] = fakeprovider.Vector(text, dimensions)
	}
	return list
}

var seaTexts = []string{"the sea", "a shore with gulls", "the sea", "naïve 海"}

// TestEmbedCrosses: vectors come through exactly, in their order, between every client and every provider.
func TestEmbedCrosses(t *testing.T) {
	t.Parallel()
	w := embedWorld(t)
	for _, client := range embedAPIs() {
		for _, vendor := range embedAPIs() {
			if client.provider {
				continue
			}
			name := client.name + " from " + vendor.name
			texts, tokens := seaTexts, int64(10)
			if client.single {
				texts, tokens = texts[:1], 2
			}
			got := w.embed(client, vendor.id(), texts)
			if vectors := client.vectors(got.body); got.status != 200 || !reflect.DeepEqual(vectors, wantVectors(texts, 8)) {
				t.Fatalf("%s: got %v want vectors %v", name, got, wantVectors(texts, 8))
			}
			mode := gateway.ModeTranslate
			if client.name == vendor.name {
				mode = gateway.ModeRelay
			}
			if got.header.Get(gateway.HeaderMode) != string(mode) {
				t.Errorf("%s: got mode %s want %s", name, got.header.Get(gateway.HeaderMode), mode)
			}
			rec := w.record()
			if u := rec.Attempts[0].Usage; rec.Operation != dialect.Embed || !u.Known || u.Input() != tokens || u.Output() != 0 {
				t.Errorf("%s: got record %+v want %d tokens in", name, rec, tokens)
			}
			if client.dimensions == "" {
				continue
			}
			got = w.embed(client, vendor.id(), seaTexts[:1], map[string]any{client.dimensions: 3})
			if vectors := client.vectors(got.body); !reflect.DeepEqual(vectors, wantVectors(seaTexts[:1], 3)) {
				t.Errorf("%s: got %v want 3 dimensions", name, got)
			}
		}
	}
}

// TestEmbedIsRelayed holds that bytes are the client's and the vendor's.
func TestEmbedIsRelayed(t *testing.T) {
	t.Parallel()
	w := embedWorld(t)
	for _, a := range embedAPIs()[:2] {
		raw, _ := json.Marshal(a.ask([]string{"sea"}))
		sent := `{ "model" : "` + a.id() + `", ` + string(raw[1:])
		got := w.post(a.api, []byte(sent), nil)
		seen := w.vendors[a.id()].Requests()
		if want := strings.Replace(sent, a.id(), "gpt-4o", 1); got.status != 200 || string(seen[len(seen)-1].Body) != want {
			t.Errorf("%s: got %v, and sent %s want %s", a.name, got, seen[len(seen)-1].Body, want)
		}
	}
}

// TestEmbedBase64: what the official SDKs ask for by default is made of any vendor's numbers, bit for bit.
func TestEmbedBase64(t *testing.T) {
	t.Parallel()
	w := embedWorld(t)
	client := embedAPIs()[0]
	for _, vendor := range embedAPIs() {
		got := w.embed(client, vendor.id(), seaTexts, map[string]any{"encoding_format": "base64"})
		if !strings.Contains(string(got.body), `"embedding":"`) || !reflect.DeepEqual(client.vectors(got.body), wantVectors(seaTexts, 8)) {
			t.Errorf("%s: got %v want base64", vendor.name, got)
		}
	}
	cohereAPI := embedAPIs()[1]
	got := w.embed(cohereAPI, client.id(), seaTexts, map[string]any{"embedding_types": []string{"base64", "float"}})
	var v struct {
		Embeddings struct{ Base64, Float []json.RawMessage }
		Texts      []string
	}
	if err := json.Unmarshal(got.body, &v); err != nil || len(v.Embeddings.Base64) != 4 || !slices.Equal(v.Texts, seaTexts) {
		t.Fatalf("got %v, %v want both forms and the texts", got, err)
	}
	for i, want := range wantVectors(seaTexts, 8) {
		if a, b := numbersIn(v.Embeddings.Base64[i]), numbersIn(v.Embeddings.Float[i]); !slices.Equal(a, want) || !slices.Equal(b, want) {
			t.Errorf("vector %d: got %v and %v want %v", i, a, b, want)
		}
	}
}

// TestEmbedLosses: what a target cannot make is refused before it is asked, and what only may differ is reported.
func TestEmbedLosses(t *testing.T) {
	t.Parallel()
	w := embedWorld(t)
	openai, cohereAPI := embedAPIs()[0], embedAPIs()[1]
	for _, tc := range []struct {
		name   string
		client embedAPI
		model  string
		more   map[string]any
		status int
		loss   string
	}{
		{"no purpose", openai, cohereAPI.id(), nil, 200, "input_type=approximated(tuning)"},
		{"a purpose", openai, cohereAPI.id(), map[string]any{"input_type": "query"}, 200, ""},
		{"user", openai, cohereAPI.id(), map[string]any{"user": "u", "input_type": "query"}, 200, "user=dropped(harmless)"},
		{"an unknown field", openai, cohereAPI.id(), map[string]any{"new": 1, "input_type": "query"}, 200, "new=dropped(tuning)"},
		{"token ids", openai, cohereAPI.id(), map[string]any{"input": []int{1, 2}}, 400, ""},
		{"a purpose the target has not", cohereAPI, openai.id(), nil, 200, "input_type=dropped(tuning)"},
		{"cutting", cohereAPI, openai.id(), map[string]any{"truncate": "START"}, 200, "input_type=dropped(tuning), truncate=dropped(tuning)"},
		{"bytes", cohereAPI, openai.id(), map[string]any{"embedding_types": []string{"int8"}}, 400, ""},
		{"an image", cohereAPI, openai.id(), map[string]any{"texts": nil, "images": []string{"data:image/png;base64,iVBORw0KGgo="}}, 400, ""},
	} {
		before := w.count(tc.model)
		got := w.embed(tc.client, tc.model, []string{"sea"}, tc.more)
		if got.status != tc.status || got.header.Get(gateway.HeaderLoss) != tc.loss {
			t.Errorf("%s: got %v, loss %q; want status %d, loss %q", tc.name, got, got.header.Get(gateway.HeaderLoss), tc.status, tc.loss)
		}
		if sent := w.count(tc.model) > before; sent != (tc.status == 200) {
			t.Errorf("%s: got it sent: %v want %v", tc.name, sent, tc.status == 200)
		}
	}
	if got := w.embed(openai, openai.id(), nil, map[string]any{"input": [][]int{{1, 2}, {3}}}); got.status != 200 {
		t.Errorf("token ids to their own dialect: got %v", got)
	}
}

// TestEmbedRefuses: what is wrong with a request is said in the client's dialect, by the gateway and by vendors.
func TestEmbedRefuses(t *testing.T) {
	t.Parallel()
	const wrongKind = "a text for a number"
	w := embedWorld(t)
	for _, client := range embedAPIs()[:2] {
		for _, vendor := range embedAPIs() {
			for name, b := range map[string]map[string]any{
				"no input":      {"model": vendor.id()},
				"an empty list": mergeMaps(client.ask([]string{}), map[string]any{"model": vendor.id()}),
				"no model":      client.ask([]string{"sea"}),
				wrongKind:       mergeMaps(client.ask([]string{"sea"}), map[string]any{"model": vendor.id(), client.dimensions: "3"}),
			} {
				before := w.count(vendor.id())
				got := w.post(client.api, b, nil)
				if got.status != 400 || len(got.body) == 0 || client.name == "openai-embeddings" != strings.Contains(string(got.body), `"error"`) {
					t.Errorf("%s, %s from %s: got %v want 400 in the client's words", name, client.name, vendor.name, got)
				}
				if name == wrongKind && w.count(vendor.id()) != before {
					t.Errorf("%s, %s from %s: got it sent", name, client.name, vendor.name)
				}
			}
		}
	}
}

func mergeMaps(list ...map[string]any) map[string]any {
	all := map[string]any{}
	for _, m := range list {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// TestEmbedNeverOfAnotherModel holds design decision 13: the same model elsewhere takes over, another never does
// (F03, F32).
func TestEmbedNeverOfAnotherModel(t *testing.T) {
	t.Parallel()
	w := embedWorld(t)
	openai, cohereAPI := embedAPIs()[0], embedAPIs()[1]
	for _, fault := range []string{"overloaded-529", "internal-500", "reset-body", "invalid-json", "concurrency-429"} {
		w.fail(openai.id(), fault)
		got := w.embed(openai, openai.id()+">other1>"+cohereAPI.id(), seaTexts)
		if !reflect.DeepEqual(openai.vectors(got.body), wantVectors(seaTexts, 8)) || got.header.Get(gateway.HeaderTarget) != cohereAPI.id()+"/gpt-4o" {
			t.Errorf("%s: got %v want the answer of the same model elsewhere", fault, got)
		}
		got = w.embed(openai, openai.id()+">other1", seaTexts)
		if got.status < 400 || !strings.Contains(got.header.Get(gateway.HeaderDetail), "other1/gpt-4o=other_model") {
			t.Errorf("%s: got %v want an error that says why nobody took over", fault, got)
		}
		w.mend(openai.id())
	}
	if n := w.count("other1"); n != 0 {
		t.Errorf("got %d requests to another embedding model, want none", n)
	}
	if !strings.Contains(w.log.String(), `skipped="other1/gpt-4o=other_model"`) {
		t.Error("got nothing in the log about the target that was skipped")
	}
	if got := w.embed(openai, "other1>"+openai.id(), seaTexts); got.header.Get(gateway.HeaderTarget) != "other1/gpt-4o" {
		t.Errorf("got %v want the other model where it leads", got)
	}
}

// TestEmbedInPieces: a batch that the target does not take at once goes out in pieces, and comes back as one answer.
func TestEmbedInPieces(t *testing.T) {
	t.Parallel()
	w := embedWorld(t)
	openai, cohereAPI := embedAPIs()[0], embedAPIs()[1]
	texts := make([]string, 1000)
	for i := range texts {
		texts[i] = fmt.Sprintf("text number %d", i)
	}
	got := w.embed(openai, cohereAPI.id(), texts)
	if !reflect.DeepEqual(openai.vectors(got.body), wantVectors(texts, 8)) {
		t.Fatalf("got %v want 1000 vectors in order", got)
	}
	rec := w.record()
	if n := w.count(cohereAPI.id()); n != 11 || len(rec.Attempts) != 1 || rec.Attempts[0].Usage.Input() != 3000 {
		t.Errorf("got %d requests, record %+v; want 11 requests of one attempt, and their tokens together", n, rec)
	}
	for i, fault := range []string{"overloaded-529", "invalid-json", "reset-body"} {
		w.vendors[cohereAPI.id()].Queue(fakeprovider.Fault{Kind: fault})
		got = w.embed(openai, cohereAPI.id()+">"+cohereAPI.id2(), texts)
		if !reflect.DeepEqual(openai.vectors(got.body), wantVectors(texts, 8)) {
			t.Errorf("%s in one piece: got %v want the whole answer from the understudy", fault, got)
		}
		if n := w.count(cohereAPI.id2()); n != 11*(i+1) {
			t.Errorf("%s in one piece: got %d requests to the understudy, want all pieces there", fault, n)
		}
	}
	many := make([]string, 96*256+1)
	if got := w.embed(openai, cohereAPI.id(), many); got.status != http.StatusBadRequest {
		t.Errorf("got %v want 400 for very many pieces", got)
	}
	if rec := w.record(); rec.Code != llm.CodeUnsupported {
		t.Errorf("got %s want %s", rec.Code, llm.CodeUnsupported)
	}
}

// TestPiecesThatDoNotGoOut: a batch of which nothing reached the vendor costs nothing, and what stood in its way is not the
// vendor's fault.
func TestPiecesThatDoNotGoOut(t *testing.T) {
	t.Parallel()
	l, h := &notebook{}, route.NewHealth(route.HealthOptions{})
	w := embedWorld(t, withLedger(l), withHealth(h), func(o *gateway.Options, _ *world) {
		o.Sender = senderFunc(func(context.Context, transport.Request) (*transport.Response, error) {
			return nil, &transport.SendError{Phase: transport.PhaseProxy, Err: errors.New("no proxy")}
		})
	})
	for range 5 {
		w.embed(embedAPIs()[0], "titan-embed1", seaTexts) // which takes one input at a time
	}
	w.record()
	if n := len(l.settled); n < 5 {
		t.Fatalf("got %d attempts in the books, want one a call and more", n)
	}
	for _, s := range l.settled {
		if s[0].Outcome.Kind != budget.Void {
			t.Errorf("got %+v, want a void attempt", s[0])
		}
	}
	for _, s := range h.Snapshot() {
		if s.State != route.StateUp {
			t.Errorf("got %+v, want nobody blamed", s)
		}
	}
}
