package anthropic

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// The members that a request has in Amazon Bedrock's frame and not in the vendor's own.
const (
	versionMember = "anthropic_version"
	betaMember    = "anthropic_beta"
)

// guardrailHeader names a guardrail of the client's, which no body of the dialect can.
const guardrailHeader = "X-Amzn-Bedrock-Guardrailidentifier"

// NewInvoke returns the dialect in the frame of Amazon Bedrock's InvokeModel and InvokeModelWithResponseStream:
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
//
// The path has the model and says whether to stream, the body has the version and beta features, which are headers
// otherwise; a stream has each event as base64 in a chunk of AWS's event stream; errors are AWS's.
func NewInvoke() *dialect.Dialect {
	d := New()
	d.Endpoints = []dialect.Endpoint{
		{Method: "POST", Path: "/model/{model}/invoke", Operation: dialect.Generate},
		{Method: "POST", Path: "/model/{model}/invoke-with-response-stream", Operation: dialect.Generate, Stream: true},
	}
	d.Framing = dialect.FramingChunks
	d.ErrorHeader, d.RequestIDHeader = "", "X-Amzn-Requestid"
	d.IsError = nil // AWS's have no more than a message
	d.ErrorType = func(e *llm.Error) (header, value string) {
		return dialect.ExceptionHeader, dialect.ExceptionOf(e.Code).Name
	}
	d.Canonical = canonical
	d.Client = invokeSide{}
	d.Relay = invokeRelay{}
	return d
}

// canonical makes a request of the Messages API of one of InvokeModel.
func canonical(f dialect.Framed) (dialect.Canonical, error) {
	doc := jsontext.Value(f.Body)
	if doc.Get(versionMember).Kind() != jsontext.String {
		e := llm.Invalid(versionMember, "%s: Field required. Of InvokeModel, only the bodies of Claude models are understood; others are relayed to Bedrock.", versionMember)
		e.Err = dialect.ErrOtherBody
		return dialect.Canonical{}, e
	}
	if f.Header(guardrailHeader) != "" {
		return dialect.Canonical{}, unsupported(guardrailHeader, "A guardrail cannot be carried over from InvokeModel's headers. Use Converse, which has it in the body.")
	}
	return unframed(doc, f)
}

// unframed makes a request of the vendor's own API of one that has the version and beta features in its body, and the
// model and whether to stream in its path, if that says them.
func unframed(body []byte, path dialect.Framed) (dialect.Canonical, error) {
	own := dialect.Canonical{Body: body}
	if list := jsontext.Value(body).Get(betaMember); !list.IsNull() {
		betas, err := betasIn(list)
		if err != nil {
			return dialect.Canonical{}, forms.Invalid(jsontext.At(betaMember, err))
		}
		own.Header = map[string]string{betaHeader: betas}
	}
	var err error
	edit := func(next []byte, _ int, nextErr error) {
		if err == nil {
			own.Body, err = next, nextErr
		}
	}
	for _, member := range []string{versionMember, betaMember, "stream"} {
		edit(jsontext.Drop(own.Body, member))
	}
	if path.Stream && err == nil {
		own.Body, err = jsontext.Set(own.Body, "stream", []byte("true"))
	}
	if path.Model != "" && err == nil {
		own.Body, err = jsontext.Set(own.Body, "model", jsontext.AppendString(nil, path.Model))
	}
	if err != nil {
		return dialect.Canonical{}, forms.Invalid(err)
	}
	return own, nil
}

// betasIn is a list of beta features as the header has it.
func betasIn(list jsontext.Value) (string, error) {
	if list.Kind() != jsontext.Array {
		return "", jsontext.Mismatch("array", list)
	}
	var names []string
	err := list.Array(func(_ int, v jsontext.Value) error {
		name, err := v.Text()
		if err == nil && !isWord(strings.ReplaceAll(name, ".", "_"), 128) {
			err = jsontext.Mismatch("the name of a feature", v)
		}
		names = append(names, name)
		return err
	})
	return strings.Join(names, ","), err
}

// invokeSide is the dialect towards a client of InvokeModel.
type invokeSide struct{ clientSide }

// EncodeError writes the error body as AWS does, and chooses the HTTP status.
func (invokeSide) EncodeError(e *llm.Error, _ string) (int, []byte) {
	x := dialect.ExceptionOf(e.Code)
	return x.Status, exceptionBody(e, x.Name)
}

// exceptionBody is the body of an error of AWS's, in an answer and, without a name, in a stream. The name is in the
// body for clients behind something that removes headers.
func exceptionBody(e *llm.Error, name string) []byte {
	message := e.Message
	if e.Code == llm.CodeContextLength && !strings.HasPrefix(message, tooLong) {
		message = tooLong + ": " + message
	}
	if message == "" {
		message = e.Code.Info().Doc
	}
	limit := maxMessage
	for {
		var w jsontext.Writer
		w.BeginObject()
		if name != "" {
			w.StringField(dialect.ExceptionMember, name)
		}
		w.StringField("message", forms.Excerpt(message, limit))
		w.EndObject()
		if len(w.Bytes()) <= maxErrorBody {
			return w.Bytes()
		}
		limit /= 2 // escapes made it longer
	}
}

// invokeRelay is the dialect towards a provider that speaks it too, for a client of InvokeModel.
type invokeRelay struct{ relay }

// NewTap returns a tap for one answer.
func (r invokeRelay) NewTap(ask dialect.Ask) dialect.Tap { return &invokeTap{Tap: r.relay.NewTap(ask)} }

// invokeTap adds a missing terminator in the client's frame.
type invokeTap struct{ dialect.Tap }

var _ dialect.Resumable = (*invokeTap)(nil)

// Close returns the terminator where only that is missing.
func (t *invokeTap) Close() ([]byte, error) {
	terminator, err := t.Tap.Close()
	if err != nil || len(terminator) == 0 {
		return nil, err //nolint:wrapcheck // the tap's own verdict
	}
	w := frames.Writer{Kind: frames.Chunks}
	return w.Append(nil, "", []byte(lastEvent)), nil
}

// Sent says how far the blocks have come.
func (t *invokeTap) Sent() any {
	if inner, ok := t.Tap.(dialect.Resumable); ok {
		return inner.Sent()
	}
	return nil
}
