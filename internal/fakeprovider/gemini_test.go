package fakeprovider

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// generate sends a body to a model's operation.
func generate(t *testing.T, s *Server, operation, body string) heard {
	t.Helper()
	h := send(t, client(t), s, Chat, body, patience, func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("X-Goog-Api-Key", "k")
		path, query, _ := strings.Cut(operation, "?")
		r.URL.Path, r.URL.RawQuery = "/v1beta/models/"+path, query
	})
	if h.err != nil {
		t.Fatal(h.err)
	}
	return h
}

const generateHi = `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`

func TestGenerateValidates(t *testing.T) {
	s := start(t, Options{Models: []string{"gemini-3", "gemini-2.5"}})
	user := `{"role":"user","parts":[{"text":"a"}]}`
	call := func(signature string) string {
		return `{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}` + signature + `}]}`
	}
	signed := `,"thoughtSignature":"` + base64.StdEncoding.EncodeToString([]byte(signatureMark+"1")) + `"`
	result := `{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"sunny"}}}]}`
	declared := func(schema string) string {
		return `,"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":` + schema + `}]}]`
	}
	for _, tc := range []struct {
		model, body string
		status      int
		want        string
	}{
		{"gemini-3", `{` + generateHi + `}`, 200, `"finishReason":"STOP"`},
		{"gemini-3", `{"contents":[{"parts":[{"text":"hi"}]}],"generation_config":{"max_output_tokens":1}}`, 200, `"MAX_TOKENS"`},
		{"gemini-3", `{`, 400, "Invalid JSON payload"},
		{"gone", `{` + generateHi + `}`, 404, "is not found for API version"},
		{"gemini-3", `{` + generateHi + `,"messages":[]}`, 400, `Unknown name \"messages\"`},
		{"gemini-3", `{"contents":[]}`, 400, "contents is not specified"},
		{"gemini-3", `{"contents":[{"role":"assistant","parts":[{"text":"x"}]}]}`, 400, "use a valid role"},
		{"gemini-3", `{"contents":[{"role":"user","parts":[]}]}`, 400, "must not be empty"},
		{"gemini-3", `{"contents":[{"role":"user","parts":[{"thought":true}]}]}`, 400, "required oneof field"},
		{"gemini-3", `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"!"}}]}]}`, 400, "Base64 decoding failed"},
		{"gemini-3", `{` + generateHi + `,"generationConfig":{"temperature":2.1}}`, 400, "range [0, 2]"},
		{"gemini-3", `{` + generateHi + `,"generationConfig":{"stopSequences":["1","2","3","4","5","6"]}}`, 400, "at most 5"},
		{"gemini-3", `{` + generateHi + `,"generationConfig":{"thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}}}`, 400, "only set one of"},
		{"gemini-2.5", `{` + generateHi + `,"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}}}`, 400, "not supported for this model"},
		{"gemini-2.5", `{` + generateHi + `,"generationConfig":{"responseMimeType":"application/json"}` + declared(`{"type":"object"}`) + `}`, 400, "is unsupported"},
		{"gemini-3", `{` + generateHi + `,"generationConfig":{"responseJsonSchema":{"type":"object"}}}`, 400, "is unsupported"},
		{"gemini-3", `{` + generateHi + declared(`{"type":"integer","exclusiveMinimum":0}`) + `}`, 400, "exclusiveMinimum"},
		{"gemini-3", `{` + generateHi + declared(`{"properties":{"a":{"$ref":"#/$defs/A","description":"x"}}}`) + `}`, 400, "beside $ref"},
		{"gemini-3", `{` + generateHi + `,"tools":[{"functionDeclarations":[{"name":"7"}]}]}`, 400, "Invalid function name"},
		{"gemini-3", `{` + generateHi + `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["f"]}}}`, 400, "allowed_function_names"},
		{"gemini-3", `{"contents":[` + user + `,` + call(signed) + `,` + result + `]}`, 200, "The tools said: sunny."},
		{"gemini-3", `{"contents":[` + user + `,` + call("") + `,` + result + `]}`, 400, "missing a thought_signature"},
		{"gemini-2.5", `{"contents":[` + user + `,` + call("") + `,` + result + `]}`, 200, "sunny"},
		{"gemini-3", `{"contents":[` + user + `,` + call("") + `,` + result + `,` + user + `]}`, 200, "You said: a"},
		{"gemini-3", `{"contents":[` + user + `,` + call(`,"thoughtSignature":"skip_thought_signature_validator"`) + `,` + result + `]}`, 200, "sunny"},
		{"gemini-3", `{"contents":[` + user + `,` + call(`,"thoughtSignature":"Zm9yZWlnbg=="`) + `,` + result + `]}`, 400, "Corrupted thought signature"},
		{"gemini-3", `{"contents":[` + user + `,` + call(signed) + `,` + user + `]}`, 400, "number of function response parts"},
		{"gemini-3", `{"contents":[` + call(signed) + `,` + result + `]}`, 400, "immediately after a user turn"},
	} {
		if h := generate(t, s, tc.model+":generateContent", tc.body); h.status != tc.status || !strings.Contains(h.body, tc.want) {
			t.Errorf("%s %s: got %d %s want %d with %q", tc.model, tc.body, h.status, h.body, tc.status, tc.want)
		}
	}
	locked := start(t, Options{Key: "other"})
	if h := generate(t, locked, "m:generateContent", `{}`); h.status != 400 || !strings.Contains(h.body, `"reason":"API_KEY_INVALID"`) {
		t.Errorf("wrong key: got %d %s want 400 with the reason", h.status, h.body)
	}
	if h := generate(t, s, "m+refuse:generateContent", `{`+generateHi+`}`); h.status != 404 {
		t.Errorf("got %d %s", h.status, h.body)
	}
}

// TestGenerateStreamsAndUnaryAnswersAgree joins the pieces of streams, of both framings.
func TestGenerateStreamsAndUnaryAnswersAgree(t *testing.T) {
	type chunk struct {
		Candidates []struct {
			Content struct {
				Parts []struct {
					Text, ThoughtSignature string
					FunctionCall           *struct {
						Name string
						Args json.RawMessage
					}
				}
			}
			FinishReason string
		}
		PromptFeedback struct{ BlockReason string }
	}
	said := func(chunks ...chunk) string {
		s := ""
		for _, c := range chunks {
			s += c.PromptFeedback.BlockReason
			for _, a := range c.Candidates {
				for _, p := range a.Content.Parts {
					s += p.Text
					if p.FunctionCall != nil {
						s += p.FunctionCall.Name + string(p.FunctionCall.Args)
					}
				}
				s += a.FinishReason
			}
		}
		return s
	}
	s := start(t, Options{})
	for _, model := range append(answers, "m+refuse", "m+redacted") {
		body := `{` + generateHi + `}`
		var one chunk
		if err := json.Unmarshal([]byte(generate(t, s, model+":generateContent", body).body), &one); err != nil {
			t.Fatal(err)
		}
		var streamed []chunk
		for _, data := range events(generate(t, s, model+":streamGenerateContent?alt=sse", body).body) {
			var c chunk
			if err := json.Unmarshal([]byte(data), &c); err != nil {
				t.Fatalf("%s: %v in %s", model, err, data)
			}
			streamed = append(streamed, c)
		}
		array := generate(t, s, model+":streamGenerateContent", body)
		var list []chunk
		if err := json.Unmarshal([]byte(array.body), &list); err != nil || !strings.HasPrefix(array.header.Get("Content-Type"), "application/json") {
			t.Fatalf("%s: %v in %s", model, err, array.body)
		}
		if got, want := said(streamed...), said(one); got != want || said(list...) != want {
			t.Errorf("%s: streamed %q, and as a list %q, want %q", model, got, said(list...), want)
		}
	}
	if h := send(t, client(t), s, Chat, "", patience, func(r *http.Request) { r.Method, r.URL.Path = "GET", "/v1beta/models" }); !strings.Contains(h.body, `"name":"models/fake-large"`) {
		t.Errorf("got %s", h.body)
	}
}
