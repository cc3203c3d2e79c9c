package gateway_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
)

// TestT064SealedForAnotherAccount: reasoning that was sealed for one account is taken out for another that cannot read
// it, once, and reported; the rest of the conversation goes on (F31).
func TestT064SealedForAnotherAccount(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		a      api
		body   string // in which MODEL stands for the route
		mark   string // of what is taken out
		losses string
	}{
		{
			"encrypted reasoning", responsesAPI,
			`{"model":"MODEL","store":false,"input":[{"role":"user","content":"Two and three?"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"theirs"},` +
				`{"role":"assistant","content":"Five."},{"role":"user","content":"And four?"}]}`,
			"reasoning", "input[].reasoning=dropped(harmless)",
		},
		{
			"signed thinking", messagesAPI,
			`{"model":"MODEL","max_tokens":4096,"messages":[{"role":"user","content":"Two and three?"},{"role":"assistant","content":[` +
				`{"type":"thinking","thinking":"Hm.","signature":"theirs"},{"type":"text","text":"Five."}]},{"role":"user","content":"And four?"}]}`,
			`"thinking"`, "thinking_history=dropped(harmless)",
		},
		{
			"signed thinking before a result", messagesAPI,
			`{"model":"MODEL","max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":1024},"tools":[{"name":"add","input_schema":{"type":"object"}}],` +
				`"messages":[{"role":"user","content":"Two and three?"},{"role":"assistant","content":[{"type":"redacted_thinking","data":"theirs"},{"type":"text","text":"Five."},` +
				`{"type":"tool_use","id":"toolu_1","name":"add","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"5"}]}]}`,
			`thinking"`, "thinking_history=dropped(harmless), thinking=dropped(tuning)",
		},
	} {
		own := tc.a.own[1]
		w := responsesWorld(t, withTimeouts(patient()))
		ask := []byte(strings.Replace(tc.body, "MODEL", own, 1))
		got := w.post(tc.a, ask, nil)
		if loss := got.header.Get(gateway.HeaderLoss); !got.whole() || loss != tc.losses {
			t.Errorf("%s: got %v, loss %q, want an answer and %q", tc.name, got, loss, tc.losses)
		}
		if rec := w.record(); len(rec.Attempts) != 2 || rec.Attempts[0].Code != llm.CodeInvalidRequest || rec.Attempts[1].Mode != gateway.ModeRelay {
			t.Errorf("%s: got attempts %+v, want two, relayed", tc.name, rec.Attempts)
		}
		sent := w.lastSent(own)
		if strings.Contains(sent, tc.mark) || !strings.Contains(sent, "Five.") {
			t.Errorf("%s: got %s sent, want the conversation without the thinking", tc.name, sent)
		}
		// A client that wants one attempt gets the vendor's own word.
		got = w.post(tc.a, ask, map[string]string{gateway.HeaderFallback: "off"})
		if got.status != 400 || len(w.record().Attempts) != 1 || !bytes.Contains(got.body, []byte("nvalid")) {
			t.Errorf("%s, once: got %v, want the vendor's refusal", tc.name, got)
		}
	}
}
