package gateway

import (
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// endpoint is a path one dialect serves.
type endpoint struct {
	dialect.Endpoint
	dialect *dialect.Dialect
	pattern pattern
}

func (g *Gateway) registerEndpoints() {
	g.paths, g.patterns = make(map[string][]*endpoint), make(map[string][]*endpoint)
	for _, d := range g.opts.Dialects {
		for _, e := range d.Endpoints {
			made := &endpoint{Endpoint: e, dialect: d, pattern: compile(e.Path)}
			if len(made.pattern.holes) == 0 {
				g.paths[e.Path] = append(g.paths[e.Path], made)
			} else {
				first := firstStep(made.pattern.texts[0])
				if first == "" {
					panic("BUG: gateway: an endpoint's path has a hole in its first step: " + e.Path)
				}
				g.patterns[first] = append(g.patterns[first], made)
			}
		}
	}
}

// firstStep is a path up to its second slash; nothing if it has none.
func firstStep(path string) string {
	if end := strings.IndexByte(strings.TrimPrefix(path, "/"), '/'); end >= 0 {
		return path[:end+1]
	}
	return ""
}

// matching calls f for the endpoints at a path. One without holes leaves none to the
// others.
func (g *Gateway) matching(path string, f func(*endpoint, named)) {
	if exact := g.paths[path]; len(exact) > 0 {
		for _, e := range exact {
			f(e, named{})
		}
		return
	}
	for _, e := range g.patterns[firstStep(path)] {
		if n, ok := e.pattern.match(path); ok {
			f(e, n)
		}
	}
}

// asks reports whether the request has what the endpoint wants of it beside the path,
// and how exact the endpoint is about it.
func (e *endpoint) asks(r *http.Request) (exact int, ok bool) {
	if e.Header != "" {
		if r.Header.Get(e.Header) == "" {
			return 0, false
		}
		exact++
	}
	if e.Query != "" {
		name, value, _ := strings.Cut(e.Query, "=")
		if r.URL.Query().Get(name) != value {
			return 0, false
		}
		exact++
	}
	return exact, true
}

// dialectOf guesses the dialect of a client whose path is not served, so that even
// this error is in its own words.
func (g *Gateway) dialectOf(r *http.Request) *dialect.Dialect {
	for _, d := range g.opts.Dialects {
		if v := r.Header[d.ErrorHeader]; len(v) > 0 && v[0] != "" {
			return d
		}
	}
	var found *dialect.Dialect
	g.matching(r.URL.Path, func(e *endpoint, _ named) {
		if found == nil && e.Header == "" {
			found = e.dialect
		}
	})
	if found == nil {
		found = g.nearestDialect(r.URL.Path)
	}
	return found
}

// nearestDialect is the one that has the endpoint whose path begins most like this one, which
// is nobody's; the first of such.
func (g *Gateway) nearestDialect(path string) *dialect.Dialect {
	found, most := g.opts.Dialects[0], 0
	steps := strings.Split(path, "/")
	for _, d := range g.opts.Dialects {
		for _, e := range d.Endpoints {
			if e.Header != "" {
				continue
			}
			fixed, _, _ := strings.Cut(e.Path, "{")
			shared := 0
			for i, step := range strings.Split(fixed, "/") {
				if step == "" && i > 0 || i == len(steps) || step != steps[i] {
					break
				}
				shared++
			}
			if shared > most {
				found, most = d, shared
			}
		}
	}
	return found
}

// open finds the dialect and operation that the method and path ask for.
func (c *call) open() *llm.Error {
	var allowed []string
	var found *endpoint
	best := -1
	c.g.matching(c.r.URL.Path, func(e *endpoint, n named) {
		exact, ok := e.asks(c.r)
		switch {
		case !ok:
		case e.Method != c.r.Method:
			if !slices.Contains(allowed, e.Method) { // by another dialect
				allowed = append(allowed, e.Method)
			}
		case exact > best:
			found, best, c.path = e, exact, n
		case exact == best && found.Operation.IsRelayed() && !e.Operation.IsRelayed():
			// What can be read goes before what is only relayed; the body decides.
			c.otherwise, found, c.path = found, e, n
		}
	})
	if found != nil {
		c.become(found)
		return nil
	}
	c.dialect = c.g.dialectOf(c.r)
	switch {
	case len(allowed) > 0:
		c.reply.header().Set("Allow", strings.Join(allowed, ", "))
		return &llm.Error{
			Code: llm.CodeMethod, Origin: llm.OriginClient,
			Message: "This path takes " + strings.Join(allowed, " or ") + " only.",
		}
	default:
		return &llm.Error{
			Code: llm.CodePathNotFound, Origin: llm.OriginClient,
			Message: "Nothing is served at this path. Check the base URL that the SDK is given.",
		}
	}
}

// Malformed refuses what is no request of HTTP, which the server has given a status.
func (g *Gateway) Malformed(w http.ResponseWriter, r *http.Request, status int, why string) {
	c := g.newCall(w, r)
	defer c.settle()
	_ = c.open() // whose words are used, where that can be told
	code := llm.CodeInvalidRequest
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		code = llm.CodeTooLarge
	case http.StatusNotImplemented:
		code = llm.CodeNotImplemented
	}
	c.fail(&llm.Error{
		Code: code, Origin: llm.OriginClient,
		Message: "This is no request of HTTP that can be read: " + why + ". Nothing was sent to a provider.",
	})
	c.reply.status = status
}

// become makes the call one to an endpoint.
func (c *call) become(e *endpoint) {
	c.dialect, c.operation, c.endpoint = e.dialect, e.Operation, e
	c.framing = kindOf(cmp.Or(e.Framing, e.dialect.Framing))
}

// read takes in the body, once, and checks it before anybody acts on it.
func (c *call) read() *llm.Error {
	if err := checkMediaType(c.r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body, err := c.readBody()
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return llm.Invalid("", "The request has no body. Send a JSON object.")
	}
	value, syntaxErr := jsontext.Parse(body)
	if syntaxErr != nil {
		return badJSON(syntaxErr)
	}
	if value.Kind() != jsontext.Object {
		return llm.Invalid("", "The body must be a JSON object, not %s.", value.Kind())
	}
	c.body = body
	if body, err = c.canonical(body); err != nil {
		return err
	}
	c.body = body
	peeked, peekErr := c.dialect.Relay.Peek(body)
	if peekErr != nil {
		return asError(peekErr, llm.CodeInvalidRequest)
	}
	if c.endpoint.pattern.hasModel {
		peeked.Model = c.path.model
	}
	peeked.Stream = peeked.Stream || c.endpoint.Stream
	c.peeked = peeked
	return c.checkModelName()
}

func (c *call) checkModelName() *llm.Error {
	if !isModelName(c.peeked.Model) {
		c.peeked.Model = "" // it stands in the log, too
		return llm.Invalid("model", "The model's name must be at most %d printable ASCII characters without spaces.", maxModelName)
	}
	return nil
}

// canonical is the request's body as its dialect has it, whatever frame it came in.
func (c *call) canonical(body []byte) ([]byte, *llm.Error) {
	if c.dialect.Canonical == nil {
		return body, nil
	}
	own, err := c.dialect.Canonical(dialect.Framed{Body: body, Model: c.path.model, Stream: c.endpoint.Stream, Header: c.r.Header.Get})
	if err != nil {
		return nil, asError(err, llm.CodeInvalidRequest)
	}
	for name, value := range own.Header {
		c.r.Header.Set(name, value)
	}
	return own.Body, nil
}

// maxModelName is the length of the longest name that a config can make: a
// provider's, a slash and a model's.
const maxModelName = 64 + 1 + 256

// isModelName reports whether a model can have this name. It stands in headers and
// in the log. An empty one is left to the step that misses it.
func isModelName(s string) bool {
	return len(s) <= maxModelName && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// boundBody gives the request's body its time, whatever becomes of the call: net/http
// waits for a body that nobody reads, before the answer and after it, and would wait
// for ever. Until the body is read to its end, an answer closes the connection.
func (c *call) boundBody() {
	if c.r.Body == nil || c.r.Body == http.NoBody {
		return
	}
	// The deadline is best effort: a ResponseWriter that has none (as in unit tests)
	// has no slow client either.
	_ = c.reply.control.SetReadDeadline(time.Now().Add(c.g.opts.Limits.BodyTimeout))
	c.bodyLeft = true
}

// bodyRead notes that the body has come to its end. After a chunked one the
// connection is closed all the same: if it had a Content-Length too, which net/http
// does not tell, it must be (RFC 9112 section 6.3).
func (c *call) bodyRead() {
	_ = c.reply.control.SetReadDeadline(time.Time{})
	c.bodyLeft = len(c.r.TransferEncoding) > 0
}

// readBody reads at most the limit, within the time for it.
func (c *call) readBody() ([]byte, *llm.Error) {
	limit := c.g.opts.Limits.Body
	if c.r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var src io.Reader = c.r.Body
	isUnknown := c.r.ContentLength < 0 // how long it is
	switch encoding := c.r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		unzip, err := gzip.NewReader(c.r.Body)
		if err != nil {
			return nil, c.bodyError(err)
		}
		src, isUnknown = unzip, true
	default:
		return nil, &llm.Error{
			Code: llm.CodeMediaType, Origin: llm.OriginClient,
			Message: "The body's content encoding is not accepted. Send it plain or as gzip.",
		}
	}
	if isUnknown {
		src = &growing{r: src, c: c, left: max(c.r.ContentLength, 0)}
	}
	body, err := readAll(src, limit, c.r.ContentLength)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return nil, tooLarge(limit)
		}
		return nil, c.bodyError(err)
	}
	c.bodyRead()
	return body, nil
}

var errTooLarge = errors.New("more bytes than the limit")

// readAll reads up to limit bytes. hint is how many are promised, 0 if that is not
// known; memory is given to what arrives, not to what is promised.
func readAll(r io.Reader, limit, hint int64) ([]byte, error) {
	const unknown, trusted = 2 << 10, 1 << 20
	if hint <= 0 {
		hint = unknown
	}
	buf := make([]byte, 0, min(hint, trusted)+1) // one more, so that the end is seen without growing
	for {
		if len(buf) == cap(buf) { // by as much again: by a quarter, as append does it, a large body is copied five times
			most := limit
			if hint > int64(len(buf)) {
				most = min(hint, limit)
			}
			buf = slices.Grow(buf, int(min(int64(len(buf)), most-int64(len(buf))))+1)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

func checkMediaType(contentType string) *llm.Error {
	if contentType == "application/json" {
		return nil // as nearly all say
	}
	media, _, err := mime.ParseMediaType(contentType)
	if contentType == "" || err != nil || !strings.HasPrefix(media, "multipart/") {
		return nil // clients label JSON in many ways; whether it is JSON is checked on the body
	}
	return &llm.Error{
		Code: llm.CodeMediaType, Origin: llm.OriginClient,
		Message: "This endpoint takes a JSON body, not a form.",
	}
}

func tooLarge(limit int64) *llm.Error {
	return &llm.Error{
		Code: llm.CodeTooLarge, Origin: llm.OriginClient,
		Message: "The request's body is larger than " + byteCount(limit) + ", the limit of this gateway.",
	}
}

// bodyError says why a body could not be read to its end.
func (c *call) bodyError(err error) *llm.Error {
	switch {
	case errors.Is(err, errNoRoom):
		return noRoom()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &llm.Error{
			Code: llm.CodeRequestTimeout, Origin: llm.OriginClient, Err: err,
			Message: "The request's body did not arrive within " + c.g.opts.Limits.BodyTimeout.String() + ".",
		}
	case c.r.Context().Err() != nil:
		return clientGone(err)
	default:
		e := llm.Invalid("", "The request's body could not be read to its end: it is cut short or badly framed.")
		e.Err = err
		return e
	}
}

// badJSON words a syntax error without quoting the body.
func badJSON(err error) *llm.Error {
	e := llm.Invalid("", "The body is not acceptable JSON: %v.", err)
	var syntax *jsontext.SyntaxError
	if errors.As(err, &syntax) && syntax.Kind == jsontext.Duplicate {
		e.Code = llm.CodeAmbiguous
	}
	return e
}

// asError makes an *llm.Error of whatever a codec returned.
func asError(err error, otherwise llm.Code) *llm.Error {
	var e *llm.Error
	if errors.As(err, &e) {
		return e
	}
	var path *jsontext.PathError
	if otherwise == llm.CodeInvalidRequest && errors.As(err, &path) {
		return llm.Invalid(path.Path, "%v.", err)
	}
	return &llm.Error{Code: otherwise, Origin: llm.OriginGateway, Message: otherwise.Info().Doc, Err: err}
}

var _ http.Handler = (*Gateway)(nil)
