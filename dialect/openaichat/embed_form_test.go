package openaichat

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestVoyageEmbed(t *testing.T) {
	dialecttest.RunOperation(t, NewVoyageEmbed(), "testdata/voyage-embed")
}

func TestJinaEmbed(t *testing.T) {
	dialecttest.RunOperation(t, NewJinaEmbed(), "testdata/jina-embed")
}

// TestEmbedForms reads and writes each form in its own words.
func TestEmbedForms(t *testing.T) {
	t.Parallel()
	for body, d := range map[string]*dialect.Dialect{
		`{"model":"n","input":["a"],"output_dimension":256,"truncation":false,"input_type":"query","output_dtype":"int8"}`: NewVoyageEmbed(),
		`{"model":"n","input":["a","b"],"dimensions":256,"truncate":true,"task":"separation","late_chunking":true}`:        NewJinaEmbed(),
		`{"model":"n","input":["a"],"task":"text-matching"}`:                                                               NewJinaEmbed(),
	} {
		req, err := d.Client.DecodeRequest([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		enc, err := d.Provider.EncodeRequest(req, dialect.Target{Model: "n"})
		if err != nil || !jsontext.Equal(enc.Body, jsontext.Value(body)) || len(enc.Losses) != 0 {
			t.Errorf("got %s, %v, losses %v want %s", enc.Body, err, enc.Losses, body)
		}
	}
	for body, d := range map[string]*dialect.Dialect{
		`[]`: NewVoyageEmbed(), `{}`: NewVoyageEmbed(), `{"input":"a","truncation":1}`: NewVoyageEmbed(), `{"input":"a","dimensions":0}`: NewJinaEmbed(),
	} {
		if _, err := d.Client.DecodeRequest([]byte(body)); err == nil {
			t.Errorf("%s: got no error", body)
		}
	}
}

// TestEmbedFormLosses: what a form cannot say is reported, and more texts than it takes go out in pieces.
func TestEmbedFormLosses(t *testing.T) {
	t.Parallel()
	req := &llm.Request{Embed: &llm.Embed{Purpose: llm.PurposeClustering, Truncate: llm.TruncateStart, Inputs: make([]llm.EmbedInput, 1001)}}
	enc, err := NewVoyageEmbed().Provider.EncodeRequest(req, dialect.Target{Model: "n"})
	if got := llm.FormatLosses(enc.Losses, 1000); err != nil || len(enc.More) != 1 || !strings.Contains(got, "input_type=dropped") || !strings.Contains(got, "truncate=approximated") {
		t.Errorf("got %d more, losses %s, %v want one more, and both losses", len(enc.More), got, err)
	}
	r, err := NewVoyageEmbed().Provider.DecodeResponse([]byte(`{"object":"list","data":[{"object":"embedding","embedding":[1,2],"index":0}],"model":"m","usage":{"total_tokens":7}}`))
	if err != nil || r.Usage != (llm.Usage{Known: true, InFresh: 7}) {
		t.Errorf("got %+v, %v want 7 tokens", r, err)
	}
}

func FuzzDecodeEmbedFormRequest(f *testing.F) {
	for _, body := range []string{
		`{"model":"n","input":["a"],"output_dimension":256,"truncation":false,"input_type":"query","output_dtype":"int8"}`,
		`{"model":"n","input":"a","dimensions":256,"truncate":true,"task":"separation"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewVoyageEmbed(), body)
			dialecttest.FuzzRequest(t, NewJinaEmbed(), body)
		}
	})
}
