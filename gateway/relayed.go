package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/formdata"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// serveRelayed serves an operation that nobody translates: images, audio, files and the
// like. The request goes as it is, but for the model's name, to a provider that serves
// the same API; another such provider is tried while the client has had nothing.
func (c *call) serveRelayed() *llm.Error {
	if err := c.readRaw(); err != nil {
		return err
	}
	if answered, err := c.claim(); answered || err != nil {
		return err
	}
	if err := c.chargePrompt(); err != nil {
		return err
	}
	if err := c.pickRelays(); err != nil {
		return err
	}
	return c.attemptAll()
}

// relayOther serves a request whose body could not be read: by relaying it, if it is one of
// another dialect's that has the same path.
func (c *call) relayOther(err *llm.Error) *llm.Error {
	if c.otherwise == nil || !errors.Is(err.Err, dialect.ErrOtherBody) {
		return err
	}
	c.become(c.otherwise)
	relayErr := c.serveRelayed()
	if relayErr != nil && relayErr.Code == llm.CodeNotImplemented {
		return err // which says more
	}
	return relayErr
}

// form is the model's field in a body that is a form, and where it stands.
type form struct {
	boundary string // empty in no form
	model    formdata.Field
	has      bool
}

// readRaw takes in a body of any kind and finds the model in it.
func (c *call) readRaw() *llm.Error {
	if c.body == nil {
		var err *llm.Error
		if c.body, err = c.readBody(); err != nil {
			return err
		}
	}
	body := c.body
	switch {
	case len(body) > 0:
	case c.r.Method == http.MethodPost && c.path.object == "" && c.operation != dialect.Stored: // what is stored may begin empty
		return llm.Invalid("", "The request has no body.")
	default:
		return nil
	}
	contentType := c.r.Header.Get("Content-Type")
	if boundary, ok := formdata.Boundary(contentType); ok {
		return c.readForm(boundary)
	}
	if strings.HasPrefix(contentType, "multipart/") {
		return llm.Invalid("", "The form's media type has no boundary, or one that is too long.")
	}
	value, syntaxErr := jsontext.Parse(body)
	if syntaxErr != nil {
		return badJSON(syntaxErr)
	}
	if value.Kind() != jsontext.Object {
		return llm.Invalid("", "The body must be a JSON object, not %s.", value.Kind())
	}
	if model := value.Get("model"); !model.IsNull() {
		name, err := model.Text()
		if err != nil {
			return llm.Invalid("model", "The model's name must be a string.")
		}
		c.peeked.Model = name
	}
	c.peeked.Stream = string(value.Get("stream")) == "true"
	n, _ := value.Get("n").Int()
	best, _ := value.Get("best_of").Int()
	c.peeked.Choices = choices(max(n, best))
	if prompts := value.Get("prompt"); prompts.Kind() == jsontext.Array { // each is answered so often, but for one in tokens
		all := int64(0)
		_ = prompts.Array(func(_ int, prompt jsontext.Value) error {
			if prompt.Kind() != jsontext.Number {
				all++
			}
			return nil
		})
		c.peeked.Choices *= max(all, 1)
	}
	return c.checkModelName()
}

// choices is how many answers a request asks for; no vendor gives a thousand.
func choices(n int64) int64 { return min(max(n, 1), 1000) }

func (c *call) readForm(boundary string) *llm.Error {
	fields, ok := formdata.Find(c.body, boundary, "model")
	if !ok {
		return llm.Invalid("", "The form is cut short or malformed.")
	}
	if len(fields) > 1 {
		return llm.Invalid("model", "The form has the field model more than once.")
	}
	c.form.boundary = boundary
	if len(fields) == 1 {
		c.form.model, c.form.has = fields[0], true
		c.peeked.Model = string(fields[0].Value)
	}
	if stream, _ := formdata.Find(c.body, boundary, "stream"); len(stream) > 0 {
		c.peeked.Stream = string(stream[0].Value) == "true"
	}
	if all, _ := formdata.Find(c.body, boundary, "n"); len(all) > 0 {
		n, _ := strconv.ParseInt(string(all[len(all)-1].Value), 10, 64)
		c.peeked.Choices = choices(n)
	}
	return c.checkModelName()
}

// pickRelays finds who may be asked: the model's route where the request names one, else
// every provider; of these, those that serve the API, and where the request is about an
// object that one of them keeps, that one.
func (c *call) pickRelays() *llm.Error {
	if c.path.model != "" {
		c.peeked.Model = c.path.model
		if err := c.checkModelName(); err != nil {
			return err
		}
	}
	if _, err := url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return llm.Invalid("", "The query of the address is malformed.")
	}
	r, ok := (*c.g.routes.Load()).Pick(c.peeked.Model)
	if !ok && c.peeked.Model != "" {
		return c.noModel(c.peeked.Model)
	}
	if err := c.permit(&r); err != nil {
		return err
	}
	r.Targets = slices.DeleteFunc(slices.Clone(r.Targets), func(t route.Target) bool {
		return !t.Provider.Relays(c.dialect.Name, c.operation)
	})
	if len(r.Targets) == 0 {
		return &llm.Error{
			Code: llm.CodeNotImplemented, Origin: llm.OriginGateway,
			Message: "No provider that may be asked serves " + string(c.operation) + ". Enable one whose facts list it under relays.",
		}
	}
	var err *llm.Error
	if r.Targets, err = c.ownersOf(r.Targets, c.objects()...); err != nil {
		return err
	}
	if c.operation == dialect.Invoke {
		r.Targets = c.sameModel(r.Targets) // another would not know the body
	}
	if c.operation == dialect.Realtime {
		r.Timeouts.Total = max(r.Timeouts.Total, sessionTime)
	}
	return c.useRoute(r)
}

// relayPlan is how a provider is asked in an API that is not translated.
func (c *call) relayPlan(t route.Target) (plan, bool) {
	address, ok := t.Provider.RelayURL(c.dialect.Name, c.dialect.Path(), c.ownPath(t.Model), t.Model)
	if query := c.query(t.Model); query != "" {
		mark := "?"
		if strings.Contains(address, mark) {
			mark = "&"
		}
		address += mark + query
	}
	return plan{mode: ModeRelay, dialect: c.dialect, url: address, framing: frames.SSE, raw: true, target: t.Name()}, ok
}

// ownPath is the request's path at the dialect's own vendor, for a model. It is written anew: with the client's own
// escapes a provider might read something else in it than was matched here.
func (c *call) ownPath(model string) string {
	const version = "/v1"
	written := func(path string) string { return (&url.URL{Path: path}).EscapedPath() }
	switch e := c.endpoint; {
	case e.Under == "" && e.pattern.hasModel:
		return strings.Replace(e.Path, "{"+modelHole+"}", provider.EscapeModel(model), 1)
	case e.Under == "":
		return written(c.r.URL.Path)
	case e.pattern.hasModel:
		return version + strings.TrimPrefix(e.Path, e.Under) // there is no other hole
	default:
		return written(version + strings.TrimPrefix(c.r.URL.Path, e.Under))
	}
}

// The parameters that the endpoints of a cloud take beside, or in the place of, those of the dialect.
const (
	versionParameter    = "api-version"
	deploymentParameter = "deployment"
)

// query is what the client asks for in the address, of the target's model and without the
// client's credential and what only the place that it thinks to be at would understand.
func (c *call) query(model string) string {
	if c.r.URL.RawQuery == "" {
		return ""
	}
	values := c.r.URL.Query() // it was found to be well-formed
	if c.dialect.KeyQuery != "" {
		values.Del(c.dialect.KeyQuery)
	}
	if c.endpoint.Under != "" {
		values.Del(versionParameter)
		values.Del(deploymentParameter)
	}
	if (values.Has("model") || c.operation == dialect.Realtime) && model != "" {
		values.Set("model", model)
	}
	return values.Encode()
}

// prepareRaw names the target's model in the body, where it or the path has one.
func (c *call) prepareRaw(a *attempt) *llm.Error {
	a.body = c.body
	inPath := c.path.model != ""
	if inPath && c.endpoint.Under == "" {
		return nil // and stays there
	}
	if c.peeked.Model == "" || a.target.Model == c.peeked.Model && !inPath || len(c.body) == 0 {
		return nil
	}
	switch {
	case c.form.has:
		a.body = formdata.Replace(c.body, c.form.model, a.target.Model)
		return nil
	case c.form.boundary != "":
		a.body = formdata.Add(c.body, c.form.boundary, "model", a.target.Model)
		return nil
	}
	var err error
	if inPath {
		a.body, err = jsontext.Set(c.body, "model", jsontext.AppendString(nil, a.target.Model))
	} else {
		a.body, err = jsontext.SetTopString(c.body, "model", a.target.Model)
	}
	if err != nil {
		return asError(err, llm.CodeInvalidRequest)
	}
	return nil
}

// maxBuffered is up to what size an answer is taken in before any of it is passed on: a
// break in it can then be mended by another provider.
const maxBuffered = 1 << 20

// deliverRaw passes an answer on as it was received, with its status and media type.
func (c *call) deliverRaw(a *attempt, resp *transport.Response, w *watchdog) *llm.Error {
	a.countInHeaders(resp.Header)
	header := http.Header{}
	for _, name := range []string{"Content-Type", "Content-Disposition"} {
		if v := resp.Header.Get(name); v != "" && len(v) <= maxHeader {
			header.Set(name, v)
		}
	}
	if resp.Status != http.StatusNoContent && header.Get("Content-Type") == "" {
		header.Set("Content-Type", unknownMedia) // else it would be guessed, and a browser shown a page
	}
	size, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64)
	isSmall := err == nil && size <= maxBuffered || resp.Status == http.StatusNoContent
	if media := mediaOf(header); media == jsonMedia || isSmall && media != frames.SSE.ContentType() {
		return c.deliverRawWhole(a, resp, w, header)
	}
	return c.deliverRawPieces(a, resp, w, header)
}

const (
	jsonMedia    = "application/json"
	unknownMedia = "application/octet-stream"
)

// mediaOf is the media type of an answer without its parameters: other types begin like JSON's.
func mediaOf(header http.Header) string {
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

func (c *call) deliverRawWhole(a *attempt, resp *transport.Response, w *watchdog, header http.Header) *llm.Error {
	var body []byte
	if resp.Status != http.StatusNoContent && resp.Header.Get("Content-Length") != "0" {
		var err *llm.Error
		if body, err = c.readAnswer(resp, w); err != nil {
			return err
		}
	}
	if mediaOf(header) == jsonMedia && len(body) > 0 {
		answer, err := jsontext.ParseLenient(body)
		if err != nil {
			return notJSON(err)
		}
		shown, learnErr := c.learnPage(a, answer, w)
		if learnErr != nil {
			return learnErr
		}
		if !bytes.Equal(shown, answer) {
			body = shown
		}
	}
	a.committed, a.firstContent = true, c.g.opts.Now()
	c.answerHeaders(a)
	c.reply.sendAs(resp.Status, header, body)
	return nil
}

func notJSON(err error) *llm.Error {
	return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: "The provider's answer is not JSON.", Err: err}
}

// deliverRawPieces passes on what comes as it comes, events whole: what the gateway says itself
// stands between them. When it breaks off, the client's connection does too, or the stream of
// events ends in an error: never in a clean end.
func (c *call) deliverRawPieces(a *attempt, resp *transport.Response, w *watchdog, header http.Header) *llm.Error {
	isEvents := mediaOf(header) == frames.SSE.ContentType()
	next := piecesOf(resp.Body)
	if isEvents {
		next = eventsOf(resp.Body, func(event []byte) { c.countInEvent(a, event) })
	}
	for {
		b, err := next()
		if len(b) > 0 {
			if !a.committed {
				a.committed, a.firstContent = true, c.g.opts.Now()
				a.pass.Begun()
				w.begun(c.route.Timeouts.Stall, pace{})
				c.answerHeaders(a)
				c.reply.startAs(resp.Status, header, isEvents)
			}
			now := time.Now()
			w.hold(now, 0, true)
			writeErr := c.reply.chunk(b, now, true)
			w.resume()
			if writeErr != nil {
				return clientGone(writeErr)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && !a.committed:
			return &llm.Error{Code: llm.CodeTruncated, Origin: llm.OriginProvider, Message: "The provider's answer is empty."}
		case errors.Is(err, io.EOF):
			c.reply.finish()
			return nil
		case err != nil:
			return &llm.Error{Code: llm.CodeTruncated, Origin: llm.OriginProvider, Message: "The provider's answer broke off.", Err: err}
		}
	}
}

// piecesOf reads a body as it comes. What is read is good until the next call.
func piecesOf(body io.Reader) func() ([]byte, error) {
	buf := make([]byte, 16<<10)
	return func() ([]byte, error) {
		n, err := body.Read(buf)
		return buf[:n], err //nolint:wrapcheck // io.EOF must stay itself
	}
}

// eventsOf reads a body event by event, likewise; see is shown the data of each.
func eventsOf(body io.Reader, see func([]byte)) func() ([]byte, error) {
	events := newFrames(frames.SSE, body)
	return func() ([]byte, error) {
		f, err := events.next()
		if f.HasData {
			see(f.Data)
		}
		return f.Raw, err
	}
}
