package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/internal/vector"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/transport"
)

// crossing takes exchanges of one dialect to another: requests to a simulated vendor of the other, which takes only
// what its API does, and answers to its clients.
type crossing struct {
	t          *testing.T
	row, other *recordedDialect
	sum        *tally
	there      *stage // whose target speaks the other dialect
	back       *stage // whose target speaks the row's
	schemas    *schemas
}

func newCrossing(t *testing.T, row, other *recordedDialect, sum *tally, validate bool) *crossing {
	t.Helper()
	c := &crossing{
		t: t, row: row, other: other, sum: sum,
		there: newStage(t, other.dialect, other.home), back: newStage(t, row.dialect, row.home),
	}
	if validate {
		c.schemas = describedAs(t, other.dialect.Name)
	}
	c.there.target.Model = servedModel(other.dialect.Name)
	v := fakeprovider.New(fakeprovider.Options{Keep: -1})
	t.Cleanup(v.Close)
	c.there.vendor = func(r transport.Request) *transport.Response {
		url := r.URL
		if other.home == "voyage" || other.home == "jina" { // whose paths are also others'
			url = strings.Replace(url, "vendor.invalid", "vendor.invalid/"+other.home, 1)
		}
		in := httptest.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(r.Body))
		for name, values := range r.Header {
			in.Header[name] = values
		}
		for name, value := range r.Provider.Facts.Headers {
			in.Header.Set(name, value)
		}
		in.Header.Set("Authorization", "Bearer key")
		in.Header.Set("X-Api-Key", "key")
		in.Header.Set("X-Goog-Api-Key", "key")
		in.Header.Set("Content-Type", "application/json")
		out := httptest.NewRecorder()
		v.ServeHTTP(out, in)
		return &transport.Response{Status: out.Code, Header: out.Header(), Body: out.Result().Body}
	}
	return c
}

// servedModel is a model that the simulated vendor serves in a dialect, where it does not serve every name.
func servedModel(name dialect.Name) string {
	switch name {
	case dialect.AnthropicMessages, dialect.AnthropicCount:
		return "claude-sonnet-4-5"
	case dialect.GeminiGenerate, dialect.GeminiCount:
		return "gemini-3.5-flash"
	case dialect.TitanEmbed:
		return "amazon.titan-embed-text-v2:0"
	default:
		return "gpt-4o"
	}
}

// request sends the recorded request to a vendor that speaks the other dialect.
func (c *crossing) request(x *dialecttest.Exchange, req *llm.Request) {
	c.t.Helper()
	d := c.row.dialect
	if len(d.Endpoints) == 0 || req == nil {
		return
	}
	got := c.there.serve(d, recordedPath(d, x.Model, isStreamed(x), framingOf(d, x)), x.RequestBody)
	if len(c.there.sent) == 0 {
		c.sum.requests.refused++
		c.sum.note(stepRequest, shortly(d.Provider.DecodeError(got.Code, got.Body.Bytes())))
		return
	}
	if code := firstCode(c.there.record); code != "" || got.Code != http.StatusOK {
		c.t.Errorf("%s to %s: got the vendor's objection %d %s: %.300s; to\n%.600s", x.ID, c.other.title(), got.Code, code, got.Body.Bytes(), c.there.sent[0])
		return
	}
	for _, body := range c.there.sent {
		c.schemas.holdRequest(c.t, x.ID+" to "+c.other.title(), body)
	}
	c.sum.requests.carried++
	if got.Header().Get(gateway.HeaderLoss) != "" {
		c.sum.requests.lossy++
	}
}

// answer has a client of the other dialect answered as recorded.
func (c *crossing) answer(x *dialecttest.Exchange, req *llm.Request, want *llm.Response) {
	c.t.Helper()
	d := c.other.dialect
	if len(d.Endpoints) == 0 {
		return
	}
	body := c.asked(x, req)
	if body == nil {
		return
	}
	c.back.changeFacts(func(f *provider.Facts) {
		f.Framings = map[dialect.Name]dialect.Framing{c.row.dialect.Name: framingOf(c.row.dialect, x)}
	})
	c.back.vendor = func(transport.Request) *transport.Response { return recordedAnswer(c.t, c.row.dialect, x) }
	got := c.back.serve(d, recordedPath(d, "m", isStreamed(x), framingOf(d, &dialecttest.Exchange{})), body)
	if len(c.back.sent) != 1 { // the answer is to another request
		return
	}
	answer, err := c.read(x, got)
	code := firstCode(c.back.record)
	if err != nil || code != "" {
		c.failed(x, code, err, want != nil)
		return
	}
	if !saysSame(answer, want) {
		c.t.Errorf("%s to a client of %s: got an answer that says something else:\n%s", x.ID, c.other.title(), firstDifference(gist(answer), gist(want)))
		return
	}
	c.sum.answers.carried++
	if len(c.back.record.Attempts[0].Losses) > 0 {
		c.sum.answers.lossy++
	}
}

// asked is the request of a client of the other dialect to which the recorded answer is one; nil if there is none.
func (c *crossing) asked(x *dialecttest.Exchange, req *llm.Request) []byte {
	if c.row.dialect.Does() == dialect.Generate {
		return minimalRequest(c.t, c.other.dialect, isStreamed(x))
	}
	if req == nil {
		return nil
	}
	enc, err := c.other.dialect.Provider.EncodeRequest(req, dialect.Target{Model: "m"})
	if err != nil || len(enc.More) > 0 {
		return nil
	}
	return enc.Body
}

// failed counts an answer that the client got an error for: in its own words, and never as a whole answer.
func (c *crossing) failed(x *dialecttest.Exchange, code llm.Code, err error, wasAnswer bool) {
	c.t.Helper()
	var told *llm.Error
	isFiltered := wasAnswer && errors.As(err, &told) // which Cohere's dialect has no other word for
	if !isFiltered && (code == "" || !errors.As(err, &told)) {
		c.t.Errorf("%s to a client of %s: got failure %q told as %v", x.ID, c.other.title(), code, err)
		return
	}
	switch {
	case x.Status >= 400:
		c.sum.errors++
		return
	case wasAnswer:
		c.sum.note(stepAnswer, shortly(err))
	default:
		c.sum.note(stepAnswer, "it is none: "+string(code))
	}
	c.sum.answers.refused++
}

// read is what a client of the other dialect makes of its answer.
func (c *crossing) read(x *dialecttest.Exchange, got *httptest.ResponseRecorder) (*llm.Response, error) {
	c.t.Helper()
	d, body := c.other.dialect, got.Body.Bytes()
	if got.Code != http.StatusOK {
		return nil, d.Provider.DecodeError(got.Code, body)
	}
	if !isStreamed(x) {
		answer, err := d.Provider.DecodeResponse(body)
		if err == nil {
			c.schemas.holdResponse(c.t, x.ID+" to a client of "+c.other.title(), body)
		}
		return answer, err
	}
	read, closed, err := dialecttest.ReadStream(d.Provider.NewStreamReader(), dialecttest.FramesOf(c.t, d.Framing, body))
	if err != nil {
		return nil, err
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		c.t.Errorf("%s to a client of %s: got %v, want a legal stream", x.ID, c.other.title(), err)
	}
	return llm.Collect(events), nil
}

// gist is what of an answer must survive any crossing: the text and the calls of the first choice, or why there is
// none; the vectors, the ranking or the count. White space between texts may differ, and calls whose arguments are no
// JSON have no shape in which all dialects could say them.
func gist(r *llm.Response) string {
	if r == nil {
		return "no answer"
	}
	var b strings.Builder
	for _, v := range r.VectorsOf() {
		packed := v.Packed
		if packed == nil {
			packed, _ = vector.Pack(nil, v.Numbers)
		}
		fmt.Fprintf(&b, "%x\n", packed)
	}
	if len(r.Ranking) > 0 {
		fmt.Fprintln(&b, r.Ranking)
	}
	if len(r.Choices) == 0 && b.Len() == 0 {
		fmt.Fprintln(&b, r.Usage.Input())
	}
	for _, ch := range r.Choices {
		if ch.Index == 0 {
			b.WriteString(choiceGist(&ch))
		}
	}
	return b.String()
}

func choiceGist(ch *llm.Choice) string {
	var text, calls strings.Builder
	for _, p := range ch.Parts {
		switch p.Kind {
		case llm.PartText, llm.PartRefusal:
			text.WriteString(p.Text)
		case llm.PartToolCall:
			args := strings.TrimSpace(p.Call.Args)
			if v, err := jsontext.ParseLenient([]byte(args)); err == nil && string(v) != "{}" {
				calls.WriteString("\n" + p.Call.Name + string(jsontext.Compact(nil, v)))
			}
		default:
		}
	}
	return spaceless(text.String()) + calls.String()
}

func spaceless(s string) string { return strings.Join(strings.Fields(s), "") }

// saysSame reports whether a client read what the vendor answered: or, where that was nothing, why.
func saysSame(got, want *llm.Response) bool {
	if want == nil {
		return false
	}
	said, wanted := gist(got), gist(want)
	return said == wanted || wanted == "" && len(want.Choices) > 0 && said == spaceless(want.Choices[0].Stop.Detail)
}
