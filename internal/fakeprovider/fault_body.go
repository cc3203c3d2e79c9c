package fakeprovider

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	bombSize  = 128 << 20
	deepLevel = 100_000
)

// bodyFaults spoil the body of a unary answer.
func bodyFaults() []kind {
	var all []kind
	add := func(name, row, what string, want Outcome, apply func(x *exchange, p *plan)) *kind {
		all = append(all, kind{Info: Info{Kind: name, Rows: []string{row}, What: what, Want: want, Unary: true}, apply: apply})
		return &all[len(all)-1]
	}
	body := func(change func(b []byte) []byte) func(*exchange, *plan) {
		return func(_ *exchange, p *plan) { p.body = change(p.body) }
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }

	add("invalid-json", "C1", "a body that is not JSON", Failover, body(func(b []byte) []byte { return bytes.Replace(b, []byte(`":`), []byte(`"=`), 1) }))
	add("empty-body", "C2", "200 with Content-Length 0", Failover, body(func([]byte) []byte { return nil }))
	add("short-length", "C3", "fewer bytes than Content-Length says", Failover, func(_ *exchange, p *plan) {
		p.header.Set("Content-Length", strconv.Itoa(len(p.body)))
		p.steps = []step{{write: half(p.body), act: drop}}
	})
	add("cut-chunked", "C3", "a chunked body without its last chunk", Failover, func(_ *exchange, p *plan) { p.steps = []step{{write: half(p.body), act: drop}} })
	add("reset-body", "C3", "RST in the middle of the body", Failover, func(_ *exchange, p *plan) { p.steps = []step{{write: half(p.body), act: reset}} })
	add("eof-body", "C3", "half of the JSON, then a clean end", Failover, func(_ *exchange, p *plan) { p.steps = []step{{write: half(p.body)}} })
	stalled := add("stall-body", "C20", "half of the JSON, then nothing", Failover, func(_ *exchange, p *plan) { p.steps = []step{{write: half(p.body), act: stall}} })
	stalled.Slow = true
	add("text-plain", "C4", "the right JSON as text/plain", Serve, func(_ *exchange, p *plan) { p.header.Set("Content-Type", "text/plain; charset=utf-8") })
	add("sse-for-json", "C6", "an event stream though JSON was asked", Serve, func(x *exchange, p *plan) {
		p.header.Set("Content-Type", "text/event-stream; charset=utf-8")
		ask := x.ask
		ask.Usage = true
		p.frames = x.vendor.stream(ask, &x.reply, x.number)
	})
	add("gzip-unasked", "C7", "a gzip body whatever the request accepts", Serve, func(_ *exchange, p *plan) { zip(p) })
	add("gzip-broken", "C7", "a gzip body that ends early", Failover, func(_ *exchange, p *plan) {
		zip(p)
		p.body = half(p.body)
	})
	add("gzip-bomb", "C8", "128 MiB of JSON in 128 KiB of gzip", Failover, func(x *exchange, p *plan) {
		p.header.Set("Content-Encoding", "gzip")
		p.body = x.s.bomb()
	})
	add("endless-body", "C9", "a JSON body that never ends", Failover, func(_ *exchange, p *plan) {
		p.steps = []step{{write: []byte(`{"id":"`)}, {write: bytes.Repeat([]byte("x"), 64<<10), act: flood}}
	})
	add("deep-json", "C10", "JSON nested 100,000 deep", Failover, body(func(b []byte) []byte {
		deep := strings.Repeat("[", deepLevel) + strings.Repeat("]", deepLevel)
		return append([]byte(`{"deep":`+deep+`,`), b[1:]...)
	}))
	add("bom-body", "C11", "a byte order mark before the JSON", Serve, body(func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }))
	add("trailing-bytes", "C11", "bytes after the JSON", Failover, body(func(b []byte) []byte { return append(b, " }garbage"...) }))
	add("two-documents", "C11", "the JSON twice", Failover, body(func(b []byte) []byte { return append(append(b, '\n'), b...) }))
	add("nan", "C11", "NaN as a number", Failover, body(func(b []byte) []byte { return append([]byte(`{"score":NaN,`), b[1:]...) }))
	add("no-choices", "C12", "an empty list of choices, or of content with no stop reason", Failover, noChoices)
	add("null-content", "C12", "content null and no finish reason", Failover, nullContent)
	add("empty-text", "C13", "an empty completion that says stop", Serve, func(x *exchange, p *plan) { respeak(x, p, Reply{}) })
	add("filtered", "C14", "a content filter's or a safety stop", Serve, func(x *exchange, p *plan) {
		respeak(x, p, Reply{Refusal: "I cannot help with that.", Stop: reasonIn(x.ask.Dialect, "filter")})
	})
	add("length", "C15", "an answer cut by the token limit", Serve, func(x *exchange, p *plan) {
		respeak(x, p, Reply{Text: "An answer that was", Stop: reasonIn(x.ask.Dialect, "length")})
	})
	badArgs := add("bad-arguments", "C16", "a tool call whose arguments are not JSON", Serve, body(func(b []byte) []byte { return badArguments.ReplaceAll(b, []byte(`"arguments":"{\"city\": Oslo"`)) }))
	badArgs.tools, badArgs.Dialect = true, Chat
	slow := add("slow-body", "C20", "one byte per second", Failover, func(_ *exchange, p *plan) {
		p.steps = []step{}
		for _, c := range p.body {
			p.steps = append(p.steps, step{wait: time.Second, write: []byte{c}})
		}
	})
	slow.Slow = true
	add("duplicate-keys", "C21", "the model and the usage stand twice in the JSON, wrong first", Serve, body(func(b []byte) []byte {
		return append([]byte(`{"model":"wrong","usage":{"prompt_tokens":999999,"input_tokens":999999},`), b[1:]...)
	}))
	add("model-differs", "C17", "another model answered", Serve, func(_ *exchange, p *plan) {
		p.body = modelMember.ReplaceAll(p.body, []byte(`"model":"cheap-model"`))
	})
	return all
}

var (
	badArguments = regexp.MustCompile(`"arguments":"(\\.|[^"\\])*"`)
	modelMember  = regexp.MustCompile(`"model":"(\\.|[^"\\])*"`)
	usageMember  = regexp.MustCompile(`,"usage(?:Metadata)?":\{("([^"{}])*":(\{[^{}]*\}|[^,{}]*),?)*\}|,"(prompt_)?eval_count":\d+`)
)

// respeak replaces the answer with another one.
func respeak(x *exchange, p *plan, r Reply) {
	r.Parts = words(r.Text)
	x.reply = r
	if x.ask.Stream {
		p.frames = x.vendor.stream(x.ask, &r, x.number)
		return
	}
	p.body = x.vendor.unary(x.ask, &r, x.number)
}

func noChoices(x *exchange, p *plan) {
	switch x.ask.Dialect {
	case Converse:
		p.body = bedrock{}.nothing("[]")
		return
	case CohereChat:
		p.body = cohere{}.nothing(x.number, "[]")
		return
	case Generate:
		p.body = gemini{}.nothing(x.ask, x.number, "[]")
		return
	case Responses:
		p.body = responses{}.nothing(x.ask, x.number, "[]")
		return
	case OllamaChat:
		p.body = []byte(ollama{}.line(x.ask, `"content":""`, `"done":false`))
		return
	}
	if x.ask.Dialect == Messages {
		p.body = fmt.Appendf(nil, `{"id":"msg_%d","type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":0}}`, x.number, quote(x.ask.Model))
		return
	}
	p.body = fmt.Appendf(nil, `{"id":"chatcmpl-%d","object":"chat.completion","created":%d,"model":%s,"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}}`, x.number, created, quote(x.ask.Model))
}

func nullContent(x *exchange, p *plan) {
	switch x.ask.Dialect {
	case Converse:
		p.body = bedrock{}.nothing("null")
		return
	case CohereChat:
		p.body = cohere{}.nothing(x.number, "null")
		return
	case Generate:
		p.body = gemini{}.nothing(x.ask, x.number, "null")
		return
	case Responses:
		p.body = responses{}.nothing(x.ask, x.number, "null")
		return
	case OllamaChat:
		p.body = []byte(ollama{}.line(x.ask, `"content":null`, `"done":false`))
		return
	}
	if x.ask.Dialect == Messages {
		p.body = fmt.Appendf(nil, `{"id":"msg_%d","type":"message","role":"assistant","model":%s,"content":null,"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":0}}`, x.number, quote(x.ask.Model))
		return
	}
	p.body = fmt.Appendf(nil, `{"id":"chatcmpl-%d","object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":null}],"usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}}`, x.number, created, quote(x.ask.Model))
}

// zip compresses the body.
func zip(p *plan) {
	p.header.Set("Content-Encoding", "gzip")
	p.body = zipped(p.body)
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		panic("BUG: gzip into memory: " + err.Error())
	}
	if err := w.Close(); err != nil {
		panic("BUG: gzip into memory: " + err.Error())
	}
	return out.Bytes()
}

// gzipBomb is a JSON object with a long string, as the server keeps it once made. It has many gzip
// members, which decoders join, because making one would take a second.
func gzipBomb() []byte {
	block := zipped(bytes.Repeat([]byte("0"), 1<<20))
	out := zipped([]byte(`{"id":"`))
	for range bombSize >> 20 {
		out = append(out, block...)
	}
	return append(out, zipped([]byte(`"}`))...)
}

// usageFaults spoil the token counts, of unary answers and of streams.
func usageFaults() []kind {
	spoil := func(name, row, what string, change func(b []byte) []byte) kind {
		return kind{Info: Info{Kind: name, Rows: []string{row}, What: what, Want: Serve, Unary: true, Stream: true}, apply: func(_ *exchange, p *plan) {
			p.body = change(p.body)
			for i, f := range p.frames {
				p.frames[i].data = string(change([]byte(f.data)))
			}
		}}
	}
	counts := func(value string) func(b []byte) []byte {
		return func(b []byte) []byte { return tokenCount.ReplaceAll(b, []byte(`"$1":`+value)) }
	}
	missing := spoil("no-usage", "C18", "usage is missing", func(b []byte) []byte { return usageMember.ReplaceAll(b, nil) })
	missing.Rows = append(missing.Rows, "D29")
	drop := missing.apply
	missing.apply = func(x *exchange, p *plan) {
		p.frames = without(p.frames, frameUsage)
		drop(x, p)
	}
	return []kind{
		missing,
		spoil("usage-negative", "C19", "negative token counts", counts("-5")),
		spoil("usage-huge", "C19", "token counts of 1e18", counts("1000000000000000000")),
		spoil("usage-zero", "C19", "token counts of zero beside text", counts("0")),
	}
}

var outputCount = regexp.MustCompile(`"(completion_tokens|output_tokens)":\d+`)

var tokenCount = regexp.MustCompile(`"(prompt_tokens|completion_tokens|total_tokens|input_tokens|output_tokens|inputTokens|outputTokens|totalTokens|promptTokenCount|candidatesTokenCount|thoughtsTokenCount|totalTokenCount|prompt_eval_count|eval_count)":\d+`)
