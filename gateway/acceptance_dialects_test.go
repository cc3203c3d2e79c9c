package gateway_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// A01: a spent account is told after the stream has begun and before content. The client sees the understudy's stream
// and nothing of the lead's (F04).
func TestA01QuotaAfterTheStreamBegan(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	w.fail("resp1", "quota-start")
	for _, understudy := range []string{"resp2", "chat1"} {
		got := w.post(responsesAPI, body("resp1>"+understudy, "the sea", true), nil)
		if !got.whole() || got.text != "You said: the sea" || bytes.Count(got.body, []byte("event: response.created")) != 1 || bytes.Contains(got.body, []byte("insufficient_quota")) {
			t.Errorf("%s: got %v want its stream alone", understudy, got)
		}
		if rec := w.record(); rec.Attempts[0].Code != llm.CodeQuota {
			t.Errorf("%s: got class %s want %s", understudy, rec.Attempts[0].Code, llm.CodeQuota)
		}
	}
}

// A12: a message whose checksum is wrong is no data. Before content the understudy answers; after it the stream ends in
// an error.
func TestA12WrongChecksum(t *testing.T) {
	t.Parallel()
	known, _ := services.Facts("bedrock")
	sound := bedrockWorld(t, withTimeouts(patient())).converse("aws1", true, converseSea).body
	for name, at := range map[string]int{"in the first message": 40, "in the middle": bytes.Index(sound, []byte("contentBlockStop"))} {
		bad := bytes.Clone(sound)
		bad[at] ^= 1
		vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			_, _ = w.Write(bad)
		}))
		w := newWorld(t, withTimeouts(patient()), withDialect(bedrock.New(), known.Dialects[dialect.BedrockConverse], "aws1"), withFacts(func(f *provider.Facts) {
			f.Streams, f.BaseURL = known.Streams, vendor.URL
		}, "aws1"))
		got := w.post(chatAPI, body("aws1>chat1", "the sea", true), noRescue)
		early := at == 40
		if early && (!got.whole() || got.text != "You said: the sea" || got.header.Get("X-Understudy-Target") != "chat1/gpt-4o") {
			t.Errorf("%s: got %v want the understudy's answer", name, got)
		}
		if !early && (got.ended != "error" || bytes.Contains(got.body, []byte("[DONE]"))) {
			t.Errorf("%s: got %v want an error at the end", name, got)
		}
		if rec := w.record(); rec.Attempts[0].Code != llm.CodeBadAnswer {
			t.Errorf("%s: got class %s want %s", name, rec.Attempts[0].Code, llm.CodeBadAnswer)
		}
		vendor.Close()
	}
}

// A37: a free-form tool becomes a function elsewhere, and its call is one of a free-form tool again.
func TestA37FreeFormTools(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	const tools = `,"tools":[{"type":"custom","name":"run","description":"Runs it"}]}`
	for _, to := range []string{"chat1", "claude1"} {
		got := w.post(responsesAPI, []byte(`{"model":"`+to+`","input":"Go"`+tools), nil)
		if !got.whole() || !bytes.Contains(got.body, []byte(`"type":"custom_tool_call"`)) || !bytes.Contains(got.body, []byte(`"name":"run"`)) {
			t.Errorf("%s: got %v want a call of the free-form tool", to, got)
		}
		grammar := strings.Replace(tools, `"name"`, `"format":{"type":"grammar","syntax":"regex","definition":"a+"},"name"`, 1)
		if got := w.post(responsesAPI, []byte(`{"model":"`+to+`","input":"Go"`+grammar), nil); got.status != 400 || !bytes.Contains(got.body, []byte("cannot carry: tools")) {
			t.Errorf("%s: got %v want a grammar refused", to, got)
		}
	}
}

// A41: stop sequences are refused by an API that has none, and the understudy that has them is asked.
func TestA41StopSequencesToResponses(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	for _, a := range apis {
		stop := map[string]any{"stop": []string{"END"}}
		if a.name == messagesAPI.name {
			stop = map[string]any{"stop_sequences": []string{"END"}}
		}
		if got := w.post(a, body("resp1", "the sea END more", false, stop), nil); got.status != 400 || !bytes.Contains(got.body, []byte("cannot carry: stop")) {
			t.Errorf("%s: got %v want it refused", a.name, got)
		}
		if got := w.post(a, body("resp1>"+a.own[0], "the sea END more", false, stop), nil); !got.whole() || strings.Contains(got.text, "END") {
			t.Errorf("%s: got %v want the answer of who can stop", a.name, got)
		}
	}
	if n := w.count("resp1"); n != 0 {
		t.Errorf("got %d requests at the vendor that has none want 0", n)
	}
}

// A04: the error in which a relayed stream of Responses ends has the number after that of the last event.
func TestA04BrokenResponsesAreNumbered(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t)
	for _, kind := range []string{"reset-stream", "overloaded-stream"} {
		w.fail("resp1", kind)
		got := w.post(responsesAPI, body("resp1|+chunks-40", "Hello", true), noRescue)
		if got.ended != "error" || got.text == "" {
			t.Fatalf("%s: got %v, want some text and then an error event", kind, got)
		}
		for i, e := range got.events {
			if n, err := jsontext.Value(e.data).Get("sequence_number").Int(); err != nil || n != int64(i) {
				t.Errorf("%s: got %s, want number %d", kind, e.data, i)
			}
		}
		w.mend("resp1")
	}
}

// A47: a prompt that is too long is an error in Responses, whole and streamed, and for whoever asks through it (F22).
func TestA47ContextLengthInResponses(t *testing.T) {
	t.Parallel()
	w := responsesWorld(t, withTimeouts(patient()))
	for _, stream := range []bool{false, true} {
		for lead, a := range map[string]api{"resp1": responsesAPI, "resp2": chatAPI, "claude1": responsesAPI} {
			w.fail(lead, "context-400")
			if got := w.post(a, body(lead, "Hello", stream), nil); got.status != 400 || !bytes.Contains(got.body, []byte("context_length_exceeded")) {
				t.Errorf("%s from %s: got %v want the error", a.name, lead, got)
			}
			w.mend(lead)
		}
	}
}

// A50: documents that are text reach Bedrock as documents, whatever brings them; it takes none by URL.
func TestA50TextDocumentsToBedrock(t *testing.T) {
	t.Parallel()
	w := bedrockWorld(t, withTimeouts(patient()))
	ask := func(a api, part any) *answer {
		return w.post(a, body("aws1", "", false, messages(says("user", []any{map[string]any{"type": "text", "text": "Read."}, part}))), nil)
	}
	const marker = "MARKER-71"
	data := base64.StdEncoding.EncodeToString([]byte("<h1>" + marker + "</h1>"))
	for mime, format := range map[string]string{"text/html": "html", "text/markdown": "md", "text/plain": "txt", "text/csv": "csv"} {
		got := ask(chatAPI, map[string]any{"type": "file", "file": map[string]any{"filename": "page." + format, "file_data": "data:" + mime + ";base64," + data}})
		sent := string(w.sent("aws1"))
		if !got.whole() || !strings.Contains(got.text, "I see ") || !strings.Contains(sent, `"document":{`) || !strings.Contains(sent, data) && !strings.Contains(sent, marker) {
			t.Errorf("%s: got %v; sent %s want the document there", mime, got, sent)
		}
	}
	text := map[string]any{"type": "document", "source": map[string]any{"type": "text", "media_type": "text/plain", "data": marker}}
	if got := ask(messagesAPI, text); !got.whole() || !strings.Contains(string(w.sent("aws1")), marker) {
		t.Errorf("a text of Messages: got %v; sent %s", got, w.sent("aws1"))
	}
	byURL := map[string]any{"type": "document", "source": map[string]any{"type": "url", "url": "https://files.example/a.html"}}
	if got := ask(messagesAPI, byURL); got.status != 400 || !bytes.Contains(got.body, []byte("cannot carry")) {
		t.Errorf("by URL: got %v want it refused", got)
	}
}
