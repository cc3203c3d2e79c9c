package dialecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// tables holds the dialect's value and its tables against the vocabulary.
func tables(t *testing.T, d *dialect.Dialect) {
	if d.Name == "" || d.Client == nil || d.Provider == nil || d.Relay == nil || (d.Models == nil) != (d.Does() != dialect.Generate) {
		t.Fatalf("got a dialect with a side missing: %+v", d)
	}
	if h := http.CanonicalHeaderKey(d.ErrorHeader); h != d.ErrorHeader {
		t.Errorf("got the header %q, want it as %q", d.ErrorHeader, h)
	}
	known := map[llm.Feature]bool{}
	for _, info := range llm.Features() {
		known[info.Feature] = true
	}
	paths, rows := map[string]bool{}, map[llm.Feature]bool{}
	for _, f := range d.Fields {
		if paths[f.Path] || f.Path == "" {
			t.Errorf("field %q: got it twice or without a path, want each once", f.Path)
		}
		paths[f.Path], rows[f.Feature] = true, true
		switch {
		case f.Feature != "" && !known[f.Feature]:
			t.Errorf("field %q: got feature %q, want one of llm's or none", f.Path, f.Feature)
		case f.Feature == "" && f.Severity != llm.Harmless && f.Severity != llm.Tuning && f.Severity != llm.Contract:
			t.Errorf("field %q: got severity %q, want one for a field that only this dialect has", f.Path, f.Severity)
		case f.Absolute && f.Severity != llm.Contract:
			t.Errorf("field %q: got an absolute loss of severity %q, want contract", f.Path, f.Severity)
		}
	}
	for f, c := range d.Carries {
		if !known[f] {
			t.Errorf("carries %q: got no such feature in llm", f)
		}
		switch c.Action {
		case llm.ActionMapped:
			if !rows[f] {
				t.Errorf("carries %q: got it mapped without a row in Fields, want where it stands", f)
			}
		case llm.ActionEmulated, llm.ActionRepaired, llm.ActionApproximated:
			if c.Note == "" {
				t.Errorf("carries %q: got it %s without a note, want how", f, c.Action)
			}
		case llm.ActionDropped, llm.ActionRefused:
		default:
			t.Errorf("carries %q: got action %q, want one of llm's", f, c.Action)
		}
	}
	if !servesItself(d) {
		t.Errorf("got no endpoint for %s, or one for something else", d.Does())
	}
	for _, h := range d.RelayHeaders {
		if textproto.CanonicalMIMEHeaderKey(h) != h {
			t.Errorf("relay header %q: got it not in canonical form", h)
		}
	}
}

func servesItself(d *dialect.Dialect) bool {
	serves := d.Operation != "" && len(d.Endpoints) == 0 // towards providers only
	for _, e := range d.Endpoints {
		serves = serves || e.Operation == d.Does()
		if d.Operation != "" && e.Operation != d.Operation {
			return false
		}
	}
	return serves
}

// recognised are the codes that a dialect has words for, so that they survive from one gateway to the next.
var recognised = []llm.Code{
	llm.CodeInvalidRequest, llm.CodeContextLength, llm.CodeTooLarge, llm.CodeRateLimit, llm.CodeQuota,
	llm.CodeOverloaded, llm.CodeTimeout,
}

// maxErrorBody is how many bytes an error's body may have.
const maxErrorBody = 1024

// errorBodies holds both sides of the dialect's errors against each other and against odd answers.
func errorBodies(t *testing.T, d *dialect.Dialect, path string) {
	var all bytes.Buffer
	for _, info := range llm.Codes() {
		e := &llm.Error{Code: info.Code, Origin: llm.OriginGateway, Message: info.Doc, Param: "messages[0]"}
		status, body := d.Client.EncodeError(e, "call_1")
		fmt.Fprintf(&all, "%s %d %s\n", info.Code, status, body)
		checkErrorBody(t, info.Code, status, body)
		checkDecoded(t, info, d.Provider.DecodeError(status, body))
		e.Message = strings.Repeat("long \"quoted\" \u00e9\U0001F600\n", 4000)
		status, body = d.Client.EncodeError(e, "call_1")
		checkErrorBody(t, info.Code, status, body)
	}
	Golden(t, path, all.Bytes())
	oddErrors(t, d)
}

// checkDecoded holds what a client of the dialect makes of an error to what the error is: a vendor's failure, above all,
// is never told as the client's own fault.
func checkDecoded(t *testing.T, want llm.CodeInfo, got *llm.Error) {
	t.Helper()
	isBlamed := want.Next == llm.TryNext && want.Status >= 500 && got.Code.Info().Next == llm.GiveUp
	if isBlamed || slices.Contains(recognised, want.Code) && got.Code != want.Code {
		t.Errorf("%s: got it decoded as %s", want.Code, got.Code)
	}
}

func checkErrorBody(t *testing.T, code llm.Code, status int, body []byte) {
	t.Helper()
	if status < 400 || status > 599 {
		t.Errorf("%s: got status %d", code, status)
	}
	if !json.Valid(body) || len(body) > maxErrorBody {
		t.Errorf("%s: got a body of %d bytes, want JSON of at most %d: %s", code, len(body), maxErrorBody, body)
	}
}

// oddErrors decodes what comes instead of an error body: never a panic, never nothing, never a secret.
func oddErrors(t *testing.T, d *dialect.Dialect) {
	const secret = "sk-proj-Zq81hTTWnX3b9fJv5uGm2Qe7" //nolint:gosec // made up
	bodies := []string{
		"", " ", "null", "[]", "{}", "7", `"text"`, "{", "<html><body>502 Bad Gateway " + secret + "</body></html>",
		"upstream connect error " + secret, `{"error":null}`, `{"error":"` + secret + `"}`, `{"error":7}`, `{"error":[]}`,
		`{"error":{}}`, `{"error":{"message":null,"type":7,"code":{}}}`, `{"error":{"code":401,"message":"no"}}`,
		`{"error":{"message":"Incorrect key: ` + secret + `","type":"invalid_request_error","code":"400"}}`,
		`{"detail":"` + secret + `"}`, `{"detail":[{"loc":["body",0],"msg":"bad","type":"x"}]}`, `{"message":"m","id":"x"}`,
		`{"object":"error","message":"m","type":"t","code":"1"}`, `{"success":false,"errors":[{"code":1,"message":"m"}]}`,
		`[{"error":{"message":"m"}}]`, strings.Repeat("[", 100000), `{"error":{"message":"` + strings.Repeat("x", 1<<16) + `"}}`,
	}
	for _, status := range []int{301, 400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 429, 499, 500, 502, 503, 504, 520, 529, 599} {
		for _, body := range bodies {
			e := d.Provider.DecodeError(status, []byte(body))
			if e == nil {
				t.Fatalf("DecodeError(%d, %.40q): got nil", status, body)
			}
			_ = asError(t, e)
			if e.Status != status || e.Origin != llm.OriginProvider {
				t.Errorf("DecodeError(%d, %.40q): got status %d, origin %q want the status and provider", status, body, e.Status, e.Origin)
			}
			if shown := e.Message + e.Type + e.VendorCode + e.Param; strings.Contains(shown, secret) || len(shown) > 2*maxErrorBody {
				t.Errorf("DecodeError(%d, %.40q): got %.200q, want it short and without the secret", status, body, shown)
			}
			if strings.Contains(e.Message, "<html") {
				t.Errorf("DecodeError(%d, %.40q): got HTML in the message", status, body)
			}
		}
	}
}

// models asserts that the lists of models are JSON and name their entries.
func models(t *testing.T, d *dialect.Dialect) {
	entries := []dialect.ModelEntry{
		{ID: "model-a", Owner: "acme", Created: 1767225600, Window: 200000, MaxOutput: 64000},
		{ID: "odd \"name\" \u00e9", Owner: "acme"},
		{ID: "model-v", Owner: "acme", Window: 512, Operation: dialect.Embed, Sees: true},
	}
	for _, list := range [][]dialect.ModelEntry{nil, entries} {
		body := d.Models.EncodeModels(list)
		if !json.Valid(body) {
			t.Errorf("EncodeModels: got %s, want JSON", body)
		}
		for _, e := range list {
			id := jsontext.AppendString(nil, e.ID)
			id = id[1 : len(id)-1] // some dialects put a word before it
			if !bytes.Contains(body, id) {
				t.Errorf("EncodeModels: got no %s: %s", id, body)
			}
			if one := d.Models.EncodeModel(e); !json.Valid(one) || !bytes.Contains(one, id) {
				t.Errorf("EncodeModel: got %s want JSON with %s", one, id)
			}
		}
	}
}

// footnotes holds what the table of features says against what becomes of samplings and thinking on every kind of model:
// what some models lose of a feature that is mapped, a note must say.
func footnotes(t *testing.T, d *dialect.Dialect) {
	if d.Does() != dialect.Generate {
		return
	}
	silent := map[llm.Feature]string{}
	for _, thinking := range []llm.ThinkingControl{
		llm.ThinkingUnknown, llm.ThinkingNone, llm.ThinkingEffort, llm.ThinkingBudget, llm.ThinkingAdaptive, llm.ThinkingBoth,
		llm.ThinkingToggle, llm.ThinkingAlways,
	} {
		for _, facts := range []llm.ModelFacts{{Thinking: thinking}, {Thinking: thinking, NoSampling: true, NoStop: true}} {
			for _, wish := range []*llm.Reasoning{
				nil, {Effort: "low"}, {Effort: "high"}, {Mode: llm.ReasoningOff}, {Mode: llm.ReasoningAdaptive}, {Mode: llm.ReasoningBudget, Budget: 2048},
			} {
				req := &llm.Request{Model: "m", MaxTokens: ptr(int64(4096)), Messages: []llm.Message{user("Hello")}, Reasoning: wish}
				if wish == nil {
					req.Temperature, req.TopP, req.TopK, req.Stop = ptr(0.5), ptr(0.5), ptr(int64(5)), []string{"END"}
				}
				enc, err := d.Provider.EncodeRequest(req, dialect.Target{Model: "m", Facts: facts})
				if err != nil {
					continue // refused, which nobody overlooks
				}
				for _, l := range enc.Losses {
					if c := d.Carries[l.Feature]; c.Action == llm.ActionMapped && c.Note == "" && l.Severity != llm.Harmless {
						silent[l.Feature] = l.Detail
					}
				}
			}
		}
	}
	for f, detail := range silent {
		t.Errorf("carries %q: got it mapped without a note, and models that lose it (%s); want a note", f, detail)
	}
}
