package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// Translation says what is to be carried from one dialect to another.
type Translation struct {
	From, To string // dialects, as DialectNames has them
	// Kind is "request", "response" or "stream"; if empty, it is told from the input.
	Kind string
	// Model is the target's model: its name, or provider/model, so that what is known
	// of it applies. If empty, the request's own.
	Model string
	// Loss is the policy: "strict", "report" (if empty) or "lenient".
	Loss string
}

// DialectNames lists the dialects that are spoken.
func DialectNames() []string {
	var names []string
	for _, d := range dialects() {
		names = append(names, string(d.Name))
	}
	return names
}

// maxTranslation bounds what is translated offline, in bytes.
const maxTranslation = 64 << 20

// Translate reads a request, an answer or a stream of one dialect from r, writes it
// in the other to w, and returns what was lost, one entry each, as in
// X-Understudy-Loss. Nothing is written when the policy refuses a loss, and the error
// is an *llm.Error. It is what the gateway does between a client and a provider,
// without either.
func Translate(r io.Reader, w io.Writer, t Translation) (losses []string, err error) {
	from, err := dialectNamed(t.From)
	if err != nil {
		return nil, err
	}
	to, err := dialectNamed(t.To)
	if err != nil {
		return nil, err
	}
	if from.Does() != to.Does() {
		return nil, fmt.Errorf("got %s, which asks to %s, and %s, which asks to %s: want two of one kind", t.From, from.Does(), t.To, to.Does())
	}
	in, err := io.ReadAll(io.LimitReader(r, maxTranslation+1))
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if len(in) > maxTranslation {
		return nil, fmt.Errorf("got more than %d MiB, want less", maxTranslation>>20)
	}
	kind := t.Kind
	if kind == "" {
		if kind, err = sniff(in); err != nil {
			return nil, err
		}
	}
	tr := translator{from: from, to: to, model: t.Model, policy: llm.LossReport}
	if t.Loss != "" {
		tr.policy = llm.LossPolicy(t.Loss)
	}
	var out []byte
	switch kind {
	case "request":
		out, err = tr.request(in)
	case "response":
		out, err = tr.response(in)
	case "stream":
		out, err = tr.stream(in)
	default:
		err = fmt.Errorf("got kind %q, want request, response or stream", kind)
	}
	for _, l := range tr.losses {
		if s := l.String(); !slices.Contains(losses, s) {
			losses = append(losses, s)
		}
	}
	if len(out) > 0 {
		if _, writeErr := w.Write(out); writeErr != nil {
			return losses, fmt.Errorf("write the output: %w", writeErr)
		}
	}
	return losses, err
}

func dialectNamed(name string) (*dialect.Dialect, error) {
	for _, d := range dialects() {
		if string(d.Name) == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("got dialect %q, want one of %s", name, strings.Join(DialectNames(), ", "))
}

// sniff tells what the input is.
func sniff(in []byte) (string, error) {
	if sse.Sniff(in) || len(in) > 0 && in[0] == 0 { // or binary messages, which begin with their length
		return "stream", nil
	}
	v, err := jsontext.Parse(in)
	if err != nil {
		return "", fmt.Errorf("read the input as JSON: %w", err)
	}
	// What an answer holds in one dialect or another, and what a request asks about.
	for _, key := range [...]string{"output", "choices", "content", "candidates", "message"} {
		if !v.Get(key).IsNull() {
			return "response", nil
		}
	}
	for _, key := range [...]string{"messages", "input", "contents"} {
		if !v.Get(key).IsNull() {
			return "request", nil
		}
	}
	return "", errors.New("got JSON that is neither a request nor an answer, want one of them: say which with --kind")
}

// translator carries one thing across.
type translator struct {
	from, to *dialect.Dialect
	model    string
	policy   llm.LossPolicy
	losses   []llm.Loss
}

// accept records losses that the policy lets through and refuses the others.
func (t *translator) accept(losses []llm.Loss) error {
	refused, reported := t.policy.Apply(losses)
	t.losses = append(t.losses, reported...)
	if len(refused) == 0 {
		return nil
	}
	return &llm.Error{
		Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Param: refused[0].Name(),
		Message: dialect.RefusalMessage(refused, t.to.Name),
	}
}

func (t *translator) request(in []byte) ([]byte, error) {
	if _, err := jsontext.Parse(in); err != nil {
		return nil, fmt.Errorf("read the input as JSON: %w", err)
	}
	req, err := t.from.Client.DecodeRequest(in)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	if err := t.accept(dialect.Contract(t.from, t.to, req)); err != nil {
		return nil, err
	}
	target := t.target(req.Model)
	encoded, err := t.to.Provider.EncodeRequest(req, target)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	if target.Model == "" && !jsontext.Value(encoded.Body).Get("model").IsNull() { // others have it in the path
		return nil, fmt.Errorf("got a request that names no model, want one, which requests of %s name\nhint: --model says which", t.to.Name)
	}
	losses := encoded.Losses
	if jsontext.LostHalf(in, encoded.Body) {
		losses = append(losses, dialect.HalfLoss(""))
	}
	if err := t.accept(losses); err != nil {
		return nil, err
	}
	return append(encoded.Body, '\n'), nil
}

// target is the model asked for with what the catalog knows of it.
func (t *translator) target(model string) dialect.Target {
	if t.model != "" {
		model = t.model
	}
	known := provider.Known()
	for _, id := range known.IDs() {
		facts, _ := known.Facts(id)
		if _, speaks := facts.Dialects[t.to.Name]; !speaks {
			continue
		}
		bare := strings.TrimPrefix(model, id+"/")
		for _, m := range facts.Models {
			if m.ID == bare {
				return dialect.Target{Model: bare, Facts: m.Facts()}
			}
		}
	}
	return dialect.Target{Model: model}
}

func (t *translator) response(in []byte) ([]byte, error) {
	if _, err := jsontext.Parse(in); err != nil {
		return nil, fmt.Errorf("read the input as JSON: %w", err)
	}
	resp, err := t.from.Provider.DecodeResponse(in)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	out, losses, err := t.to.Client.EncodeResponse(resp)
	if err != nil {
		return nil, fmt.Errorf("write the answer: %w", err)
	}
	t.losses = append(t.losses, losses...)
	t.beside(in)
	t.kept(resp.Extra)
	t.half(in, out)
	return append(out, '\n'), nil
}

// stream writes what came before a failure, too: a stream that breaks ends in the
// dialect's own error, as it does at the gateway.
func (t *translator) stream(in []byte) ([]byte, error) {
	source := frames.NewReader(frames.Kind(t.from.Framing), bytes.NewReader(in))
	reader := t.from.Provider.NewStreamReader()
	writer := t.to.Client.NewStreamWriter(dialect.StreamOptions{Model: t.model, Usage: true, Framing: t.to.Framing})
	var out []byte
	var err error
	for more := true; more && err == nil; {
		var events []llm.Event
		events, more, err = t.next(source, reader)
		for _, e := range events {
			out = writer.Write(out, e)
			t.kept(e.Extra)
		}
	}
	t.losses = append(t.losses, writer.Losses()...)
	t.half(in, out)
	if err == nil {
		return out, nil
	}
	var failure *llm.Error
	if !errors.As(err, &failure) {
		failure = &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: llm.CodeBadAnswer.Info().Doc, Err: err}
	}
	return writer.Error(out, failure), fmt.Errorf("read the stream: %w", err)
}

// next returns the events of the next frame, or those that the stream's end makes.
func (t *translator) next(source frames.Reader, reader dialect.StreamReader) (events []llm.Event, more bool, err error) {
	frame, err := source.Next()
	var partial *frames.PartialError
	switch {
	case errors.Is(err, io.EOF):
		events, err = reader.Close(nil)
		return events, false, err
	case errors.As(err, &partial) && partial.Clean && frame.HasData:
		// The last event without its empty line: files are often saved so.
	case err != nil:
		return nil, false, err
	}
	if !frame.HasData {
		return nil, true, nil
	}
	events, err = reader.Read(nil, dialect.Frame{Event: frame.Name, Data: frame.Data, Exception: frame.Exception})
	if err == nil {
		t.beside(frame.Data)
	}
	if partial != nil && err == nil {
		events, err = reader.Close(events)
	}
	return events, partial == nil, err
}

// beside records what of an answer, or of a frame of one, its dialect has and does not read.
func (t *translator) beside(data []byte) {
	if t.from.Beside != nil {
		t.losses = append(t.losses, dialect.BesideLosses(t.from.Beside(data))...)
	}
}

// kept records what of an answer its dialect keeps for its own clients.
func (t *translator) kept(extra llm.Extra) {
	t.losses = append(t.losses, dialect.BesideLosses(dialect.KeptPaths(t.from, t.to, extra))...)
}

// half records that half of a surrogate pair in an answer was written as U+FFFD.
func (t *translator) half(in, out []byte) {
	if jsontext.LostHalf(in, out) {
		t.losses = append(t.losses, dialect.HalfLoss("answer."))
	}
}
