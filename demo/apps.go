package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/internal/frames/sse"
)

const (
	// patience bounds one request of an application. It is far above every limit of the gateway, so
	// that only a gateway that forgot its client reaches it.
	patience  = 30 * time.Second
	maxAnswer = 1 << 20
)

// targetHeader says in every answer which provider/model gave it; as a trailer, which one went on
// with it.
const targetHeader = "X-Understudy-Target"

// clientApp is an application written for one vendor's API. It knows nothing of the gateway but its
// address, and accepts nothing but a whole and correct answer.
type clientApp struct {
	title  string
	model  string // what it asks for
	lead   string // the vendor that normally serves that model
	stream bool
	api    api
	root   string // of the gateway, without a trailing slash
	http   *http.Client
}

// api is a wire format as an application sees it.
type api interface {
	path() string
	header(h http.Header)
	request(model, prompt string, stream bool) ([]byte, error)
	// whole returns the text of an answer that was not streamed.
	whole(body []byte) (string, error)
	newStream() streamReader
}

// streamReader follows the grammar of a streamed answer.
type streamReader interface {
	// event takes the next event; an error means that it may not stand there.
	event(name string, data []byte) error
	ended() bool // the terminal event was seen
	text() string
}

// answer is what an application got.
type answer struct {
	vendor  string        // that served it
	rescued bool          // or began to: another went on with it
	waited  time.Duration // until the first content, or for all of an answer that is not streamed
}

// newApps returns the four applications: both APIs, streaming and not. Each API's model is led by
// the vendor of that API.
func newApps(root string, openAI, anthropic *vendor) []*clientApp {
	app := func(v *vendor, model string, stream bool) *clientApp {
		title := v.apiName
		if stream {
			title += ", streaming"
		}
		return &clientApp{
			title: title, model: model, lead: v.name, stream: stream, api: v.api, root: root,
			// A transport of its own: the default one would send requests through a proxy named in
			// the environment.
			http: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: workers}},
		}
	}
	return []*clientApp{
		app(openAI, modelAssistant, false), app(openAI, modelAssistant, true),
		app(anthropic, modelWriter, false), app(anthropic, modelWriter, true),
	}
}

func (a *clientApp) close() { a.http.CloseIdleConnections() }

// ask sends a prompt and checks the answer: status, type, grammar, one end, and the very words of
// the vendor that is said to have served it.
func (a *clientApp) ask(ctx context.Context, prompt string) (answer, error) {
	body, err := a.api.request(a.model, prompt, a.stream)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.root+a.api.path(), bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	a.api.header(req.Header)
	start := time.Now()
	resp, err := a.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("send request: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return answer{}, fmt.Errorf("got status %d, want 200: %s", resp.StatusCode, bytes.TrimSpace(said))
	}
	read := a.readWhole
	if a.stream {
		read = a.readStream
	}
	text, came, err := read(resp)
	if err != nil {
		return answer{}, err
	}
	served, _, _ := strings.Cut(resp.Header.Get(targetHeader), "/")
	if want := says(served, prompt); text != want {
		return answer{}, fmt.Errorf("got %q from %q, want %q", text, served, want)
	}
	last, _, _ := strings.Cut(resp.Trailer.Get(targetHeader), "/")
	return answer{vendor: served, rescued: last != "" && last != served, waited: came.Sub(start)}, nil
}

// readWhole reads an answer that is not streamed, and returns its text and when it was there.
func (a *clientApp) readWhole(resp *http.Response) (text string, came time.Time, err error) {
	if err := wantType(resp, "application/json"); err != nil {
		return "", came, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", came, fmt.Errorf("read answer: %w", err)
	}
	text, err = a.api.whole(body)
	return text, time.Now(), err
}

// readStream reads a streamed answer, and returns its text and when the first of it came.
func (a *clientApp) readStream(resp *http.Response) (text string, came time.Time, err error) {
	if err := wantType(resp, "text/event-stream"); err != nil {
		return "", came, err
	}
	events := sse.NewReader(io.LimitReader(resp.Body, maxAnswer), maxAnswer)
	s := a.api.newStream()
	for {
		e, err := events.Next()
		switch {
		case errors.Is(err, io.EOF) && s.ended():
			return s.text(), came, nil
		case errors.Is(err, io.EOF):
			return "", came, fmt.Errorf("the stream ended without its last event, after %q", s.text())
		case err != nil:
			return "", came, fmt.Errorf("read stream after %q: %w", s.text(), err)
		case e.Comment:
			continue
		case s.ended():
			return "", came, fmt.Errorf("got %q after the last event of the stream", e.Data)
		}
		if err := s.event(e.Name, e.Data); err != nil {
			return "", came, fmt.Errorf("after %q: %w", s.text(), err)
		}
		if came.IsZero() && s.text() != "" {
			came = time.Now()
		}
	}
}

func wantType(resp *http.Response, want string) error {
	got, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if got != want {
		return fmt.Errorf("got content type %q, want %q", got, want)
	}
	return nil
}
