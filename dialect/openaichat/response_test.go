package openaichat

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// one is an answer of one choice.
func one(message, reason string) string {
	return `{"id":"r","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":` + message + `,"finish_reason":` + reason + `}]}`
}

func decodeAnswer(t *testing.T, body string) *llm.Response {
	t.Helper()
	r, err := providerSide{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return r
}

// TestC12UnusableAnswers is T141, too: what may be missing, and what may not.
func TestC12UnusableAnswers(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `7`, `{`, `{}`, `{"choices":null}`, `{"choices":[]}`, `{"choices":{}}`, `{"choices":[7]}`,
		one(`{"role":"assistant","content":null}`, `null`), one(`{"role":"assistant","content":""}`, `""`), one(`null`, `null`),
		one(`{"tool_calls":[{"id":"a"}]}`, `"tool_calls"`), one(`{"content":7}`, `"stop"`), "<html>502</html>",
	} {
		_, err := providerSide{}.DecodeResponse([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeBadAnswer {
			t.Errorf("%s: got %v want %s", body, err, llm.CodeBadAnswer)
		}
		if _, err := (relay{}).NewTap(noAsk).Body([]byte(body)); !errors.As(err, &e) || e.Code != llm.CodeBadAnswer {
			t.Errorf("%s: tap: got %v want %s", body, err, llm.CodeBadAnswer)
		}
	}
	r := decodeAnswer(t, one(`{"role":"assistant","content":null}`, `"stop"`))
	if len(r.Choices) != 1 || len(r.Choices[0].Parts) != 0 || r.Choices[0].Stop.Reason != llm.StopEnd {
		t.Errorf("got %+v, want an empty answer", r)
	}
	sig, err := relay{}.NewTap(noAsk).Body([]byte(one(`{"content":""}`, `"stop"`)))
	if err != nil || sig.Content {
		t.Errorf("tap of an empty answer: got %+v, %v, want no content and no error", sig, err)
	}
}

func TestErrorsInsideSuccess(t *testing.T) {
	for _, tc := range []struct {
		body string
		want llm.Code
	}{
		{`{"error":{"message":"no","type":"insufficient_quota","code":"insufficient_quota"}}`, llm.CodeQuota},
		{`{"error":{"message":"Upstream","code":502}}`, llm.CodeUnreachable},
		{`{"error":{"message":"busy","code":"429"}}`, llm.CodeRateLimit},
		{`{"error":"something"}`, llm.CodeServerError},
		{`{"error":{"code":"content_filter","message":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, llm.CodeContentPolicy},
		{`{"object":"error","message":"x","type":"BadRequestError","code":400}`, llm.CodeInvalidRequest},
		{`{"detail":"x"}`, llm.CodeServerError},
		{`{"choices":[],"error":{"message":"x","type":"overloaded_error"}}`, llm.CodeOverloaded},
		{`{"choices":[{"error":{"code":503,"message":"x"},"message":{"content":"half"},"finish_reason":null}]}`, llm.CodeOverloaded},
		{`{"choices":[{"error":{"code":429,"message":"x"},"message":{"content":"half"},"finish_reason":"error"}]}`, llm.CodeRateLimit},
		{`{"error":{"code":429,"message":"x"},"choices":[{"message":{"content":"half"},"finish_reason":"stop"}]}`, llm.CodeRateLimit},
		{one(`{"content":"half"}`, `"error"`), llm.CodeServerError},
	} {
		_, err := providerSide{}.DecodeResponse([]byte(tc.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != tc.want {
			t.Errorf("%s: got %v want %s", tc.body, err, tc.want)
		}
	}
	if r := decodeAnswer(t, `{"error":null,"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}`); len(r.Choices) != 1 {
		t.Errorf("error null: got %+v, want the answer", r)
	}
}

func TestShapesOfContent(t *testing.T) {
	for _, tc := range []struct{ message, want string }{
		{`{"content":"a"}`, "text:a"},
		{`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]},"b"]}`, "thinking:hm text:a text:b"},
		{`{"content":{"ok": true}}`, `text:{"ok": true}`},
		{`{"content":"a","reasoning_content":"hm"}`, "thinking:hm text:a"},
		{`{"content":"a","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}`, "thinking:hm text:a"},
		{`{"content":"a","reasoning_content":"x","reasoning":"y"}`, "thinking:x text:a"},
		{`{"content":"a","reasoning_details":[{"type":"reasoning.summary","summary":"hm"},{"type":"reasoning.encrypted","data":"z"}]}`, "thinking:hm text:a"},
		{`{"content":null,"refusal":"no"}`, "refusal:no"},
		{`{"content":"","tool_calls":{"id":"a","function":{"name":"f","arguments":"{}"}}}`, "tool_call:"},
		{`{"content":null,"function_call":{"name":"f","arguments":"{}"}}`, "tool_call:"},
		{`{"content":"","audio":{"id":"x"}}`, "opaque:"},
	} {
		r := decodeAnswer(t, one(tc.message, `"stop"`))
		var got []string
		for _, p := range r.Choices[0].Parts {
			got = append(got, p.Kind.String()+":"+p.Text)
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: got %s want %s", tc.message, s, tc.want)
		}
	}
}

func TestStopReasons(t *testing.T) {
	const call = `{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"a"}}]}`
	for _, tc := range []struct {
		message, reason string
		want            llm.StopReason
		sent            string
	}{
		{`{"content":"x"}`, `"stop"`, llm.StopEnd, "stop"},
		{`{"content":"x"}`, `"eos"`, llm.StopEnd, "stop"},
		{`{"content":"x"}`, `"end_turn"`, llm.StopEnd, "stop"},
		{`{"content":"x"}`, `""`, llm.StopEnd, "stop"},
		{`{"content":"x"}`, `null`, llm.StopEnd, "stop"},
		{`{"content":"x"}`, `"length"`, llm.StopLength, "length"},
		{`{"content":"x"}`, `"model_length"`, llm.StopContextFull, "length"},
		{`{"content":"x"}`, `"content_filter"`, llm.StopContentFilter, "content_filter"},
		{`{"content":"x"}`, `"brand_new"`, llm.StopOther, "stop"},
		{`{"content":"x"}`, `"tool_calls"`, llm.StopEnd, "stop"},
		{`{"refusal":"x"}`, `"stop"`, llm.StopRefusal, "content_filter"},
		{`{"refusal":"x"}`, `"content_filter"`, llm.StopRefusal, "content_filter"},
		{`{"refusal":"x"}`, `""`, llm.StopRefusal, "content_filter"},
		{`{"refusal":"x"}`, `null`, llm.StopRefusal, "content_filter"},
		{`{"refusal":"x"}`, `"brand_new"`, llm.StopRefusal, "content_filter"},
		{`{"refusal":"x"}`, `"stop_sequence"`, llm.StopRefusal, "content_filter"},
		{`{"refusal":"x"}`, `"tool_calls"`, llm.StopRefusal, "content_filter"},
		{`{"refusal":"x"}`, `"length"`, llm.StopLength, "length"},
		{call, `"stop"`, llm.StopToolCalls, "tool_calls"},
		{call, `"tool_call"`, llm.StopToolCalls, "tool_calls"},
		{call, `"function_call"`, llm.StopToolCalls, "tool_calls"},
		{call, `""`, llm.StopToolCalls, "tool_calls"},
		{call, `"length"`, llm.StopLength, "length"},
	} {
		r := decodeAnswer(t, one(tc.message, tc.reason))
		if got := r.Choices[0].Stop.Reason; got != tc.want {
			t.Errorf("%s %s: got %s want %s", tc.message, tc.reason, got, tc.want)
		}
		if raw := strings.Trim(tc.reason, `"`); tc.reason != "null" && r.Choices[0].Stop.Raw != raw {
			t.Errorf("%s: got raw %q", tc.reason, r.Choices[0].Stop.Raw)
		}
		body, _, err := clientSide{}.EncodeResponse(r)
		if err != nil || !strings.Contains(string(body), `"finish_reason":"`+tc.sent+`"`) {
			t.Errorf("%s %s: got %s, %v want %s", tc.message, tc.reason, body, err, tc.sent)
		}
	}
}

func TestT012MissingIDsAreMintedAlike(t *testing.T) {
	body := one(`{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"id":"","function":{"name":"f","arguments":"{}"}},{"id":7,"function":{"name":"f","arguments":"{}"}}]}`, `"tool_calls"`)
	first, second := decodeAnswer(t, body).Choices[0].Parts, decodeAnswer(t, body).Choices[0].Parts
	ids := map[string]bool{}
	for i, p := range first {
		if p.Call.ID == "" || len(p.Call.ID) > maxIDLength || p.Call.ID != second[i].Call.ID {
			t.Errorf("call %d: got ids %q and %q, want the same short one", i, p.Call.ID, second[i].Call.ID)
		}
		ids[p.Call.ID] = true
	}
	if len(ids) != 3 || !ids["7"] {
		t.Errorf("got ids %v, want three", ids)
	}
	events := mustRead(t, chunk(`{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}},{"index":1,"function":{"name":"f","arguments":"{}"}}]}`, `"tool_calls"`))
	if got := llm.Collect(events).Choices[0].Parts; got[0].Call.ID != first[0].Call.ID || got[1].Call.ID != first[1].Call.ID {
		t.Errorf("got ids %q and %q in the stream, want those of the whole answer", got[0].Call.ID, got[1].Call.ID)
	}
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		usage string
		want  llm.Usage
	}{
		{`null`, llm.Usage{}},
		{`{}`, llm.Usage{}},
		{`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, llm.Usage{Absurd: true}},
		{`{"prompt_tokens":10,"completion_tokens":0}`, llm.Usage{Known: true, InFresh: 10}},
		{`{"prompt_tokens":10,"total_tokens":15}`, llm.Usage{Known: true, InFresh: 10, OutVisible: 5}},
		{
			`{"prompt_tokens":150,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":10,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":12,"audio_tokens":3,"accepted_prediction_tokens":2,"rejected_prediction_tokens":1}}`,
			llm.Usage{Known: true, InFresh: 100, InCacheRead: 40, InCacheWrite: 10, InAudio: 5, OutVisible: 18, OutReasoning: 12, OutAudio: 3, AcceptedPrediction: 2, RejectedPrediction: 1},
		},
		{`{"prompt_tokens":10,"completion_tokens":3,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}`, llm.Usage{Known: true, InFresh: 6, InCacheRead: 4, OutVisible: 3}},
		{`{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":10},"completion_tokens_details":{"reasoning_tokens":9}}`, llm.Usage{Known: true, InCacheRead: 10, OutReasoning: 3}},
		{`{"prompt_audio_seconds":5,"prompt_tokens":11,"completion_tokens":15,"total_tokens":401,"prompt_tokens_details":{"audio_tokens":375,"cached_tokens":9}}`, llm.Usage{Known: true, InFresh: 377, InCacheRead: 9, InAudio: 375, OutVisible: 15}},
		{`{"prompt_audio_seconds":0,"prompt_tokens":16,"total_tokens":393,"completion_tokens":2}`, llm.Usage{Known: true, InFresh: 391, InAudio: 375, OutVisible: 2}},
		{`{"prompt_audio_seconds":null,"prompt_tokens":13,"total_tokens":20,"completion_tokens":2}`, llm.Usage{Known: true, InFresh: 13, OutVisible: 2}},
		{`{"prompt_tokens":12,"completion_tokens":2,"total_tokens":354,"prompt_tokens_details":{"cached_tokens":11},"completion_tokens_details":{"reasoning_tokens":340}}`, llm.Usage{Known: true, InFresh: 1, InCacheRead: 11, OutVisible: 2, OutReasoning: 340}},
		{`{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":-9}}`, llm.Usage{Known: true, InFresh: 10, OutVisible: 3}},
	} {
		body := strings.Replace(one(`{"content":"x"}`, `"stop"`), `{"id"`, `{"usage":`+tc.usage+`,"id"`, 1)
		if got := decodeAnswer(t, body).Usage; got != tc.want {
			t.Errorf("%s: got %+v want %+v", tc.usage, got, tc.want)
		}
	}
}

func TestT038TextBlocksAreJoined(t *testing.T) {
	cite := func(url string, start, end int) llm.Citation {
		return llm.Citation{Kind: llm.CiteURL, URL: url, Title: "t", Start: start, End: end}
	}
	r := &llm.Response{ID: "r", Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopEnd}, Parts: []llm.Part{
		{Kind: llm.PartText, Text: "狐é "},
		{Kind: llm.PartText, Text: "ab", Citations: []llm.Citation{cite("u1", 0, 0)}},
		{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "a", Name: "f", Args: "{}"}},
		{Kind: llm.PartText, Text: "cd", Citations: []llm.Citation{cite("u2", 1, 2), {Kind: llm.CiteDocument}}},
	}}}}
	body, losses, err := clientSide{}.EncodeResponse(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"content":"狐é ab\n\ncd"`, `"start_index":3,"end_index":5,"url":"u1"`, `"start_index":8,"end_index":9,"url":"u2"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("got %s, want %s in it", body, want)
		}
	}
	if lossNames(losses) != "citation_history=dropped(harmless)" {
		t.Errorf("got losses %v", losses)
	}
	stream, streamLosses := write(r.Events())
	for _, want := range []string{`"content":"狐é "`, `"content":"\n\ncd"`, `"start_index":3,"end_index":5,"url":"u1"`, `"start_index":8,"end_index":9,"url":"u2"`} {
		if !strings.Contains(stream, want) {
			t.Errorf("got stream %s, want %s in it", stream, want)
		}
	}
	if lossNames(streamLosses) != lossNames(losses) {
		t.Errorf("got losses %v in the stream want %v", streamLosses, losses)
	}
}

func TestMalformedOutput(t *testing.T) {
	r := &llm.Response{Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopMalformed}}}}
	_, _, err := clientSide{}.EncodeResponse(r)
	var e *llm.Error
	if !errors.As(err, &e) || e.Code != llm.CodeBadAnswer {
		t.Errorf("got %v want %s", err, llm.CodeBadAnswer)
	}
	r.Choices[0].Parts = []llm.Part{llm.Text("so far")}
	if body, _, err := (clientSide{}).EncodeResponse(r); err != nil || !strings.Contains(string(body), `"finish_reason":"stop"`) {
		t.Errorf("with text: got %s, %v want stop", body, err)
	}
}

func TestOpaquePartsAreReported(t *testing.T) {
	r := &llm.Response{Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopEnd}, Parts: []llm.Part{
		{Kind: llm.PartOpaque, Text: "[searched]", Opaque: &llm.Opaque{Dialect: "other"}},
		llm.Text("x"),
		{Kind: llm.PartImage, Media: &llm.Media{URL: "https://a.example"}},
	}}}}
	body, losses, err := clientSide{}.EncodeResponse(r)
	if err != nil || !strings.Contains(string(body), `"content":"x"`) {
		t.Errorf("got %s, %v, want the text alone", body, err)
	}
	const want = "vendor_part_text=dropped(tuning), vendor_part=dropped(tuning)"
	if got := lossNames(losses); got != want {
		t.Errorf("got losses %s want %s", got, want)
	}
	if _, streamed := write(r.Events()); lossNames(streamed) != want {
		t.Errorf("got losses %v in the stream want %s", streamed, want)
	}
}

func TestT007ZeroArgumentTool(t *testing.T) {
	for reason, want := range map[llm.StopReason]string{llm.StopToolCalls: `{}`, llm.StopLength: ``} {
		r := &llm.Response{Choices: []llm.Choice{{Stop: llm.Stop{Reason: reason}, Parts: []llm.Part{{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "a", Name: "f"}}}}}}
		body, _, err := clientSide{}.EncodeResponse(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := decodeAnswer(t, string(body)).Choices[0].Parts[0].Call.Args; got != want {
			t.Errorf("%s: got arguments %q want %q", reason, got, want)
		}
		stream, _ := write(r.Events())
		if got := llm.Collect(mustReadAll(t, stream)).Choices[0].Parts[0].Call.Args; got != want {
			t.Errorf("%s: got arguments %q in the stream want %q", reason, got, want)
		}
	}
	said := `{"choices":[{"message":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"null"}}]},"finish_reason":"tool_calls"}]}`
	if got := decodeAnswer(t, said).Choices[0].Parts[0].Call.Args; got != "" {
		t.Errorf("got arguments %q of a call that says null, want none", got)
	}
}

func TestAnnotationsFindTheirText(t *testing.T) {
	note := func(start, end int) string {
		return `{"type":"url_citation","url_citation":{"start_index":` + strconv.Itoa(start) + `,"end_index":` + strconv.Itoa(end) + `,"url":"u","title":"t"}}`
	}
	message := `{"content":[{"type":"text","text":"狐狐狐"},{"type":"text","text":"abcd"}],"annotations":[` + note(1, 2) + `,` + note(4, 6) + `,{"type":"file_citation"}]}`
	p := decodeAnswer(t, one(message, `"stop"`)).Choices[0].Parts
	if len(p) != 2 || len(p[0].Citations) != 2 || len(p[1].Citations) != 1 {
		t.Fatalf("got %+v, want the citations on their texts", p)
	}
	if c := p[0].Citations[0]; c.Kind != llm.CiteURL || c.Start != 1 || c.End != 2 || c.URL != "u" || c.Title != "t" {
		t.Errorf("got %+v, want characters 1 to 2 of the first", c)
	}
	if c := p[1].Citations[0]; c.Start != 1 || c.End != 3 {
		t.Errorf("got %+v, want characters 1 to 3 of the second", c)
	}
	if c := p[0].Citations[1]; c.Kind != "" || c.Opaque == nil || c.Opaque.Type != "file_citation" {
		t.Errorf("got %+v, want it opaque", c)
	}
}

func TestTierIsOneOfTheDialects(t *testing.T) {
	for tier, want := range map[string]string{"priority": "priority", "default": "default", "standard": "default", "on_demand": "default", "batch": "", "": ""} {
		r := &llm.Response{Tier: tier, Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopEnd}}}}
		body, _, err := clientSide{}.EncodeResponse(r)
		if got := forms.Scalar(jsontext.Value(body).Get("service_tier")); err != nil || got != want {
			t.Errorf("%q: got %s, %v, want it shown as %q", tier, body, err, want)
		}
	}
}
