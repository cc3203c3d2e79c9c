package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// askBedrock is a request of Converse, and askGemini one of generateContent, with further members.
func askBedrock(members string) string {
	return `{"messages":[{"role":"user","content":[{"text":"hi"}]}],` + members + `}`
}

func askGemini(members string) string {
	return `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],` + members + `}`
}

// TestAccountIsCarried holds what vendors have in common of what concerns the account alone: who asks, in which tier,
// under which labels, with which cache.
func TestAccountIsCarried(t *testing.T) {
	chatAPI, responses, messages, aws, google := openaichat.New(), openairesponses.New(), anthropic.New(), bedrock.New(), gemini.New()
	stored := `"store":true,"metadata":{"team":"night watch","note":"5 \u20ac"}`
	for _, c := range []struct {
		crossing
		from, to *dialect.Dialect
	}{
		{crossing{body: chat(hi, `"service_tier":"flex"`), has: []string{`"service_tier":"flex"`}}, chatAPI, responses},
		{crossing{body: chat(hi, `"service_tier":"fast"`), has: []string{`"service_tier":"priority"`}}, chatAPI, responses},
		{crossing{body: chat(hi, `"service_tier":"performance"`), not: []string{"service_tier"}, lost: "service_tier=dropped(harmless)"}, chatAPI, responses},
		{crossing{body: items(hi, `"service_tier":"auto"`), has: []string{`"service_tier":"auto"`}}, responses, chatAPI},
		{crossing{body: message(hi, `"service_tier":"standard_only"`), has: []string{`"service_tier":"default"`}}, messages, chatAPI},
		{crossing{body: message(hi, `"service_tier":"auto"`), has: []string{`"service_tier":"auto"`}}, messages, responses},
		{crossing{body: askGemini(`"serviceTier":"standard"`), has: []string{`"service_tier":"default"`}}, google, chatAPI},
		{crossing{body: askGemini(`"serviceTier":"priority"`), has: []string{`"service_tier":"priority"`}}, google, responses},
		{crossing{body: askBedrock(`"serviceTier":{"type":"flex"}`), has: []string{`"service_tier":"flex"`}}, aws, responses},
		{crossing{body: askBedrock(`"serviceTier":{"type":"reserved"}`), not: []string{"service_tier"}, lost: "service_tier=dropped(harmless)"}, aws, chatAPI},
		{crossing{body: items(hi, `"service_tier":"fast"`), has: []string{`"serviceTier":{"type":"priority"}`}}, responses, aws},
		{crossing{body: items(hi, `"service_tier":"fast"`), has: []string{`"serviceTier":"priority"`}}, responses, google},
		{crossing{body: items(hi, `"service_tier":"auto"`), not: []string{"serviceTier"}, lost: "service_tier=emulated(harmless)"}, responses, aws},
		{crossing{body: items(hi, `"service_tier":"auto"`), not: []string{"serviceTier"}, lost: "service_tier=emulated(harmless)"}, responses, google},
		{crossing{body: chat(hi, `"random_seed":7`), has: []string{`"seed":7`}}, chatAPI, google},
		{crossing{body: chat(hi, `"service_tier":"scale"`), not: []string{"serviceTier"}, lost: "service_tier=dropped(harmless)"}, chatAPI, aws},

		{crossing{body: chat(hi, stored), has: []string{`"metadata":{"team":"night watch","note":"5 €"},"store":false`}, not: []string{"store\":true"}, lost: "store=dropped(harmless)"}, chatAPI, responses},
		{crossing{body: chat(hi, stored), has: []string{`"requestMetadata":{"team":"night watch"}`}, not: []string{"note"}, lost: "metadata=dropped(harmless)"}, chatAPI, aws},
		{crossing{body: chat(hi, stored), not: []string{"metadata", "labels"}, lost: "metadata=dropped(harmless)"}, chatAPI, google},
		{crossing{body: items(hi, stored), not: []string{"metadata", "store"}, lost: "metadata=dropped(harmless)"}, responses, chatAPI},
		{crossing{body: askBedrock(`"requestMetadata":{"team":"night watch"}`), has: []string{`"metadata":{"team":"night watch"}`}}, aws, responses},
		{crossing{body: items(hi, `"metadata":{"a":"b","c":3}`), has: []string{`"requestMetadata":{"a":"b"}`}, lost: "metadata[]=dropped(harmless)"}, responses, aws},
		{crossing{body: items(hi, `"metadata":{}`), not: []string{"requestMetadata"}}, responses, aws},

		{crossing{body: items(hi, `"prompt_cache_key":"watch-7","store":false`), has: []string{`"prompt_cache_key":"watch-7"`}, not: []string{"store"}}, responses, chatAPI},
		{crossing{body: chat(hi, `"prompt_cache_key":"watch-7","store":false`), has: []string{`"prompt_cache_key":"watch-7","store":false`}}, chatAPI, responses},
		{crossing{body: chat(hi, `"prompt_cache_key":"`+strings.Repeat("k", 65)+`"`), not: []string{"kkk"}, has: []string{`"prompt_cache_key":"`}, lost: "prompt_cache_key=emulated(harmless)"}, chatAPI, responses},
		{crossing{body: chat(hi, `"prompt_cache_key":"watch-7"`), not: []string{"watch-7"}, lost: "prompt_cache_key=dropped(harmless)"}, chatAPI, messages},
		{crossing{body: chat(hi, `"user":"u","safety_identifier":"s"`), has: []string{`"safety_identifier":"s","prompt_cache_key":"u"`}}, chatAPI, responses},
		{crossing{body: chat(hi, `"prompt_cache_retention":"24h"`), not: []string{"24h"}, lost: "prompt_cache_retention=dropped(harmless)"}, chatAPI, responses},

		{crossing{body: message(hi, `"metadata":{"user_id":"user-7"}`), has: []string{`"user":"user-7"`}}, messages, chatAPI},
		{crossing{body: message(hi, `"metadata":{"user_id":"`+strings.Repeat("u", 65)+`"}`), has: []string{`"user":"3I8GqBhASmkqciS9ccptvj"`}, lost: "user=emulated(harmless)"}, messages, chatAPI},
		{crossing{body: items(hi, `"safety_identifier":"é`+strings.Repeat("é", 63)+`"`), has: []string{`"user":"éé`}}, responses, chatAPI},
		{crossing{body: items(hi, `"safety_identifier":"a@example.com"`), not: []string{"example"}, has: []string{`"metadata":{"user_id":"`}, lost: "user=emulated(harmless)"}, responses, messages},
		{crossing{body: chat(hi, `"user":"user-7"`), not: []string{"user-7"}, lost: "=dropped(harmless)"}, chatAPI, cohere.New()},
	} {
		t.Run(string(c.from.Name)+" to "+string(c.to.Name), func(t *testing.T) { c.run(t, c.from, c.to) })
	}
}

// TestDetailOfPicturesIsCarried holds that pictures are looked at as closely as they would be by the lead.
func TestDetailOfPicturesIsCarried(t *testing.T) {
	picture := func(detail string) string {
		return chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,`+pngData+`","detail":"`+detail+`"}}]}`, "")
	}
	theirs := func(resolution string) string {
		return `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"` + pngData + `"},"media_resolution":` + resolution + `}]}]}`
	}
	levels := llm.ModelFacts{Thinking: llm.ThinkingEffort}
	chatAPI, google := openaichat.New(), gemini.New()
	for _, c := range []struct {
		crossing
		from, to *dialect.Dialect
	}{
		{crossing{body: picture("low"), facts: levels, has: []string{`},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}`}}, chatAPI, google},
		{crossing{body: picture("high"), facts: levels, has: []string{`},"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}}`}}, chatAPI, google},
		{crossing{body: picture("auto"), facts: levels, not: []string{"mediaResolution"}}, chatAPI, google},
		{crossing{body: picture("low"), facts: llm.ModelFacts{Thinking: llm.ThinkingBudget}, not: []string{"mediaResolution"}, lost: "image_detail=dropped(harmless)"}, chatAPI, google},
		{crossing{body: picture("low"), not: []string{"mediaResolution"}, lost: "image_detail=dropped(harmless)"}, chatAPI, google},
		{crossing{body: theirs(`{"level":"MEDIA_RESOLUTION_HIGH"}`), has: []string{`"detail":"high"`}}, google, chatAPI},
		{crossing{body: theirs(`{"level":"MEDIA_RESOLUTION_LOW"}`), has: []string{`"detail":"low"`}}, google, openairesponses.New()},
		{crossing{body: theirs(`{"level":"MEDIA_RESOLUTION_MEDIUM"}`), not: []string{"detail"}, lost: "contents[].parts[].mediaResolution=dropped(harmless)"}, google, chatAPI},
		{crossing{body: theirs(`{"level":"MEDIA_RESOLUTION_LOW"}`), not: []string{"detail"}, lost: "contents[].parts[].mediaResolution.level=dropped(harmless)"}, google, anthropic.New()},
	} {
		t.Run(string(c.from.Name)+" to "+string(c.to.Name), func(t *testing.T) { c.run(t, c.from, c.to) })
	}
}

// TestLabelsAreWithinLimits sends more labels, and longer ones, than vendors take.
func TestLabelsAreWithinLimits(t *testing.T) {
	labels := []string{
		`"` + strings.Repeat("k", 64) + `":"` + strings.Repeat("v", 512) + `"`, `"` + strings.Repeat("K", 65) + `":"x"`, `"long":"` + strings.Repeat("V", 513) + `"`, `"":"empty"`,
		`"é":"` + strings.Repeat("é", 512) + `"`,
	}
	for i := range 20 {
		labels = append(labels, fmt.Sprintf(`"n%d":"%d"`, i, i))
	}
	for _, c := range []struct {
		to     *dialect.Dialect
		member string
		has    []string
	}{
		{openairesponses.New(), "metadata", []string{`{"kkk`, `"é":"éé`, `"n13":"13"}`}},
		{bedrock.New(), "requestMetadata", []string{`{"KKK`, `"n14":"14"}`}},
	} {
		enc, losses, err := crossRequest(openaichat.New(), c.to, chat(hi, `"store":true,"metadata":{`+strings.Join(labels, ",")+`}`), llm.ModelFacts{})
		if err != nil {
			t.Fatal(err)
		}
		sent := jsontext.Value(enc.Body).Get(c.member)
		n := 0
		_ = sent.Object(func(string, jsontext.Value) error { n++; return nil }) // what is none has no members
		contains(t, string(sent), c.has, []string{"empty"})
		if n != 16 || !strings.Contains(llm.FormatLosses(losses, 1000), "metadata=dropped(harmless)") {
			t.Errorf("%s: got %d labels and losses %v, want 16 and the loss of the others", c.to.Name, n, losses)
		}
	}
}

// TestTiersOfAnswersAreShown says how fast an answer was made in the words of those who asked for it.
func TestTiersOfAnswersAreShown(t *testing.T) {
	chatAnswer := func(tier string) string {
		return `{"id":"c","object":"chat.completion","created":1,"model":"m","service_tier":"` + tier + `","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`
	}
	theirs := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1,"service_tier":"standard"}}`
	for _, c := range []struct {
		from, to     *dialect.Dialect
		answer, want string
	}{
		{openaichat.New(), openairesponses.New(), chatAnswer("flex"), `"service_tier":"flex"`},
		{openaichat.New(), openairesponses.New(), chatAnswer("on_demand"), `"service_tier":"default"`},
		{openaichat.New(), anthropic.New(), chatAnswer("default"), `"service_tier":"standard"`},
		{openaichat.New(), anthropic.New(), chatAnswer("flex"), `"service_tier":null`},
		{openaichat.New(), gemini.New(), chatAnswer("default"), `"serviceTier":"standard"`},
		{openaichat.New(), bedrock.New(), chatAnswer("on_demand"), `"serviceTier":{"type":"default"}`},
		{anthropic.New(), openaichat.New(), theirs, `"service_tier":"default"`},
		{anthropic.New(), openairesponses.New(), theirs, `"service_tier":"default"`},
		{anthropic.New(), gemini.New(), theirs, `"serviceTier":"standard"`},
		{anthropic.New(), bedrock.New(), theirs, `"serviceTier":{"type":"default"}`},
	} {
		if got := crossAnswer(t, c.from, c.to, c.answer); !strings.Contains(got, c.want) {
			t.Errorf("%s to %s: got %s want %s in it", c.from.Name, c.to.Name, got, c.want)
		}
	}
}

// TestTiersOfStreamsAreShown holds that a stream ends with the tier that it was made in, though the vendor says at first
// only what was asked for, or nothing.
func TestTiersOfStreamsAreShown(t *testing.T) {
	answered := `"id":"resp_1","object":"response","created_at":1,"model":"m","output":[]`
	stream := events(
		`{"type":"response.created","sequence_number":0,"response":{`+answered+`,"status":"in_progress","service_tier":"auto"}}`,
		`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","content":[]}}`,
		`{"type":"response.output_text.delta","sequence_number":2,"output_index":0,"content_index":0,"item_id":"msg_1","delta":"hi"}`,
		`{"type":"response.completed","sequence_number":3,"response":{`+answered+`,"status":"completed","service_tier":"default","usage":{"input_tokens":1,"output_tokens":1}}}`,
	)
	chunks := events(
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"hi"}}]}`,
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"flex","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":null,"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}`,
		`[DONE]`,
	)
	candidates := events(
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"index":0}],"usageMetadata":{"promptTokenCount":1},"responseId":"r","modelVersion":"m"}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"serviceTier":"standard"}}`,
	)
	chatEnd := `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]`
	for _, c := range []struct {
		from, to     *dialect.Dialect
		stream, want string
	}{
		{openairesponses.New(), openaichat.New(), stream, `"service_tier":"default",` + chatEnd},
		{openairesponses.New(), gemini.New(), stream, `"serviceTier":"standard"`},
		{openaichat.New(), openairesponses.New(), chunks, `"service_tier":"flex","usage":{"input_tokens":1`},
		{openaichat.New(), gemini.New(), chunks, `"serviceTier":"flex"`},
		{gemini.New(), openaichat.New(), candidates, `"service_tier":"default",` + chatEnd},
		{gemini.New(), openairesponses.New(), candidates, `"service_tier":"default","usage":{"input_tokens":1`},
	} {
		got, err := crossStream(c.from, c.to, strings.NewReader(c.stream))
		if err != nil || !strings.Contains(got, c.want) || strings.Contains(got, `"service_tier":"auto"`) {
			t.Errorf("%s to %s: got\n%s\nand %v, want %s in it", c.from.Name, c.to.Name, got, err, c.want)
		}
	}
}
