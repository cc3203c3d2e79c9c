package fakeprovider

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Dialects.
const (
	Chat       = "openai-chat"
	Responses  = "openai-responses"
	Messages   = "anthropic-messages"
	CohereChat = "cohere-chat"
	Converse   = "bedrock-converse"
	Generate   = "gemini-generate"
	OllamaChat = "ollama-chat"
)

// vendor is one of the vendors: what it wants and how it writes.
type vendor interface {
	chatPath() string
	authorize(s *Server, r *http.Request) *Error
	noRoute(method, path string, known bool) *Error
	missingModel(model string) *Error
	notJSON(err error) *Error
	read(s *Server, h http.Header, body object) (Ask, *Error)
	models(names []string, id string) (string, *Error)
	header(h http.Header, number int64)
	errorBody(e *Error, number int64) []byte
	errorFrame(e *Error, number int64) frame
	unary(a Ask, r *Reply, number int64) []byte
	stream(a Ask, r *Reply, number int64) []frame
}

var (
	_ vendor = openai{}
	_ vendor = responses{}
	_ vendor = anthropic{}
	_ vendor = cohere{}
	_ vendor = embeddings{}
	_ vendor = cohereEmbed{}
	_ vendor = geminiEmbed{}
	_ vendor = ollamaEmbed{}
	_ vendor = titan{}
	_ vendor = anthropicCount{}
	_ vendor = geminiCount{}
	_ vendor = bedrockCount{}
	_ vendor = vertexClaude{}
	_ vendor = vertexCount{}
	_ vendor = predict{}
	_ vendor = textEmbed{}
	_ vendor = voyageRerank{}
	_ vendor = jinaRerank{}
	_ vendor = cohereRerank{}
	_ vendor = bedrock{}
	_ vendor = gemini{}
	_ vendor = invoke{}
	_ vendor = ollama{}
)

// exchange is one request being answered.
type exchange struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	vendor vendor
	number int64
	seen   *Seen
	fault  *Fault
	ask    Ask
	reply  Reply
	whole  bool // everything was sent; guarded by the journal's lock
}

// answer decides what goes back: an error, a list of models, or what the simulated model says, with
// the fault of this request applied.
func (x *exchange) answer(body []byte) *plan {
	path := x.r.URL.Path
	switch {
	case path == "/foundation-models" || strings.HasPrefix(path, "/foundation-models/"):
		return x.answerModels(strings.TrimPrefix(strings.TrimPrefix(path, "/foundation-models"), "/"))
	case path == "/v1beta/models" || x.vendor == (gemini{}):
		return x.answerModels(strings.TrimPrefix(strings.TrimPrefix(path, "/v1beta/models"), "/"))
	case path == "/api/tags":
		return x.answerModels("")
	case path == "/v1/models" || strings.HasPrefix(path, "/v1/models/"):
		return x.answerModels(strings.TrimPrefix(strings.TrimPrefix(path, "/v1/models"), "/"))
	case path != x.vendor.chatPath():
		return x.refusal(x.vendor.noRoute(x.r.Method, path, false))
	case x.r.Method != http.MethodPost:
		return x.refusal(x.vendor.noRoute(x.r.Method, path, true))
	}
	if e := x.vendor.authorize(x.s, x.r); e != nil {
		return x.refusal(e)
	}
	if len(body) > maxBody {
		p := &plan{}
		errorNamed("large-413").apply(x, p)
		return p
	}
	o, err := decodeObject(body)
	if err != nil {
		return x.refusal(x.vendor.notJSON(err))
	}
	var e *Error
	x.ask, e = x.vendor.read(x.s, x.r.Header, o)
	x.s.journal.note(x.seen, func(s *Seen) { s.Model, s.Stream = or(str(o, "model"), x.ask.Model), x.ask.Stream })
	switch {
	case e != nil:
		return x.refusal(e)
	case !x.s.serves(x.ask.Model):
		return x.refusal(x.vendor.missingModel(x.ask.Model))
	}
	return x.respond()
}

// respond makes the simulated model's answer.
func (x *exchange) respond() *plan {
	if k, ok := x.ask.markers["fault"]; ok && x.fault == nil {
		x.fault = parseFault(k)
	}
	if x.fault == nil {
		x.fault = x.s.standing()
	}
	x.prepareFault()
	x.reply = x.s.reply(x.ask)
	if x.reply.Error != nil {
		p := x.failure(x.reply.Error)
		p.first = x.reply.FirstDelay
		return p
	}
	if k := x.kind(); k != nil && k.tools {
		x.reply.Text, x.reply.Parts = "", nil
	}
	x.s.issue(&x.reply)
	p := &plan{status: http.StatusOK, header: http.Header{}, first: x.reply.FirstDelay, delay: x.reply.Delay}
	x.vendor.header(p.header, x.number)
	if x.ask.Stream {
		p.header.Set("Content-Type", "text/event-stream; charset=utf-8")
		p.header.Set("Cache-Control", "no-cache")
		p.frames = x.vendor.stream(x.ask, &x.reply, x.number)
		switch p.frames[0].form {
		case formSSE:
		case formLine:
			p.header.Set("Content-Type", "application/x-ndjson")
		case formBare:
			p.header.Set("Content-Type", "application/json; charset=UTF-8")
		default:
			p.header.Set("Content-Type", "application/vnd.amazon.eventstream")
		}
	} else {
		p.header.Set("Content-Type", "application/json")
		p.body = x.vendor.unary(x.ask, &x.reply, x.number)
	}
	if k := x.kind(); k != nil && k.fits(x) {
		x.noteFault()
		k.apply(x, p)
	}
	return p
}

func (x *exchange) answerModels(id string) *plan {
	if x.r.Method != http.MethodGet {
		return x.refusal(x.vendor.noRoute(x.r.Method, x.r.URL.Path, true))
	}
	if e := x.vendor.authorize(x.s, x.r); e != nil {
		return x.refusal(e)
	}
	body, e := x.vendor.models(x.s.models(), id)
	if e != nil {
		return x.refusal(e)
	}
	p := &plan{status: http.StatusOK, header: http.Header{}, body: []byte(body)}
	x.vendor.header(p.header, x.number)
	p.header.Set("Content-Type", "application/json")
	return p
}

// refusal answers a request the vendor finds wrong.
func (x *exchange) refusal(e *Error) *plan {
	x.s.journal.note(x.seen, func(s *Seen) { s.Refused = fmt.Sprintf("%d %s", e.Status, e.Message) })
	return x.failure(e)
}

// failure writes an error in the vendor's envelope.
func (x *exchange) failure(e *Error) *plan {
	p := &plan{status: e.Status, header: http.Header{}, body: x.vendor.errorBody(e, x.number)}
	x.vendor.header(p.header, x.number)
	p.header.Set("Content-Type", "application/json")
	if v, ok := x.vendor.(interface{ errorHeader(http.Header, *Error) }); ok {
		v.errorHeader(p.header, e)
	}
	if e.Status == http.StatusTooManyRequests {
		withoutLimits(p.header) // only the error's own words say when to come back
	}
	for k, v := range e.Header {
		p.header.Set(k, v)
	}
	return p
}

func withoutLimits(h http.Header) {
	for name := range h {
		if strings.Contains(name, "Ratelimit") {
			h.Del(name)
		}
	}
}

func (s *Server) models() []string {
	if len(s.opts.Models) > 0 {
		return s.opts.Models
	}
	return []string{"fake-large", "fake-small"}
}

func (s *Server) serves(model string) bool {
	if len(s.opts.Models) == 0 {
		return true
	}
	for _, m := range s.opts.Models {
		if m == model || strings.HasPrefix(model, "x-") {
			return true
		}
	}
	return false
}

// clientLeft notes that the client went away, unless it is the server that closes.
func (x *exchange) clientLeft() {
	select {
	case <-x.s.closing:
		return
	default:
	}
	x.s.journal.note(x.seen, func(e *Seen) {
		if e.Cancelled.IsZero() && e.Done.IsZero() && !x.whole {
			e.Cancelled = time.Now()
		}
	})
}
