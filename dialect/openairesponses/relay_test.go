package openairesponses

import (
	"errors"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

func TestPeek(t *testing.T) {
	p, err := relay{}.Peek([]byte(` {"model":"m","input":"x","stream":true,"max_output_tokens":7} `))
	if want := (dialect.Peeked{Model: "m", Stream: true, StreamUsage: true, MaxTokens: 7}); err != nil || p != want {
		t.Errorf("got %+v, %v want %+v", p, err, want)
	}
	for _, body := range []string{`[]`, `{}`, `{"model":7}`, `{"model":"m","stream":"yes"}`} {
		if _, err := (relay{}).Peek([]byte(body)); err == nil {
			t.Errorf("%s: got it accepted", body)
		}
	}
}

// TestStrip removes what other vendors made, and nothing else moves.
func TestStrip(t *testing.T) {
	for _, tc := range []struct{ body, want string }{
		{`{"input":"understudy."}`, `{"input":"understudy."}`},
		{`{"input":[{"role":"user","content":"\"understudy."}]}`, `{"input":[{"role":"user","content":"\"understudy."}]}`},
		{
			`{ "input" : [ {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"understudy.x.sealed.y"} , {"role":"user","content":"hi"} ], "a":1 }`,
			`{ "input" : [{"role":"user","content":"hi"} ], "a":1 }`,
		},
		{
			`{"input":[{"role":"user","content":"hi"}, {"type":"reasoning","encrypted_content":"understudy.unsigned"}, {"type":"reasoning","encrypted_content":"gAAA"}]}`,
			`{"input":[{"role":"user","content":"hi"}, {"type":"reasoning","encrypted_content":"gAAA"}]}`,
		},
	} {
		out, losses, err := relay{}.Strip([]byte(tc.body))
		if err != nil || string(out) != tc.want || (len(losses) > 0) != (tc.want != tc.body) {
			t.Errorf("%s: got %s, %v, %v want %s", tc.body, out, losses, err, tc.want)
		}
	}
}

func TestTappedBodies(t *testing.T) {
	for _, tc := range []struct {
		body    string
		content bool
		code    llm.Code
	}{
		{`{"status":"completed","model":"m","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":3,"output_tokens":1}}`, true, ""},
		{`{"status":"completed","output":[]}`, false, ""},
		{`{"status":"queued","output":[],"background":true}`, true, ""}, // what the client asked for
		{`{"status":"failed","error":{"code":"server_error","message":"x"},"output":[]}`, false, llm.CodeServerError},
		{`{"status":"failed","error":{"code":"rate_limit_exceeded","message":"x"},"output":[]}`, false, llm.CodeRateLimit},
		{`{"status":"cancelled","error":null,"output":[]}`, false, llm.CodeServerError},
		{`{"error":{"message":"x","type":"insufficient_quota"}}`, false, llm.CodeQuota},
		{`{"output":7}`, false, llm.CodeBadAnswer},
		{`{"output":[]}`, false, llm.CodeBadAnswer},
		{`{"output":[7]}`, false, llm.CodeBadAnswer},
		{`[]`, false, llm.CodeBadAnswer},
		{`<html>`, false, llm.CodeBadAnswer},
	} {
		var tapped tap
		s, err := tapped.Body([]byte(tc.body))
		var e *llm.Error
		switch {
		case tc.code == "" && (err != nil || s.Content != tc.content):
			t.Errorf("%s: got %+v, %v want content %v", tc.body, s, err, tc.content)
		case tc.code != "" && (!errors.As(err, &e) || e.Code != tc.code):
			t.Errorf("%s: got %v want %s", tc.body, err, tc.code)
		}
	}
}

// TestT102UnknownEventsPass lets a client see progress that the gateway does not understand.
func TestT102UnknownEventsPass(t *testing.T) {
	var tapped tap
	for _, data := range []string{
		`{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"m"}}`,
		`{"type":"response.new_thing.delta","sequence_number":1,"output_index":0,"delta":"x"}`,
		`{"type":"keepalive","sequence_number":2}`,
	} {
		s, err := tapped.Frame(dialect.Frame{Data: []byte(data)})
		if err != nil || s.Hide || s.End || s.Data != nil {
			t.Errorf("%s: got %+v, %v want it passed on as it is", data, s, err)
		}
	}
}
