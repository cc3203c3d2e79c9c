package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

// TraceOptions is what Traces are built from.
type TraceOptions struct {
	// Endpoint is the collector's address; where it has no path, /v1/traces is meant.
	Endpoint string
	// Headers go with each request, in the form of OTEL_EXPORTER_OTLP_HEADERS: name=value, with
	// commas between them and the values escaped as in a URL.
	Headers string
	Version string
	Log     *slog.Logger
}

// Traces send spans to a collector that speaks OpenTelemetry's protocol over HTTP. They are made of
// calls that are over, by a goroutine of their own; what it cannot get rid of is dropped, so that a
// collector that is slow or gone costs a call nothing.
type Traces struct {
	opts   TraceOptions
	url    string
	header http.Header
	client *http.Client
	// waiting are the calls whose spans are to be sent.
	waiting chan gateway.Record
	closing chan struct{}
	done    chan struct{}

	ctx  context.Context // of what is sent
	stop context.CancelFunc

	sent, failed, dropped atomic.Int64
	told                  time.Time // when the log last said that the collector takes nothing
}

// How much waits for the collector, and how it is sent.
const (
	maxWaiting  = 2048 // calls
	maxTogether = 256  // calls in a request
	sendEvery   = time.Second
	sendTime    = 10 * time.Second
	tellEvery   = time.Minute
	tracesPath  = "/v1/traces"
)

// NewTraces returns Traces. What they observe is sent once they are started.
func NewTraces(o TraceOptions) (*Traces, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("trace to the collector: %w", err)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = tracesPath
	}
	t := &Traces{
		opts: o, url: u.String(), waiting: make(chan gateway.Record, maxWaiting), closing: make(chan struct{}), done: make(chan struct{}),
		client: &http.Client{
			Timeout:       sendTime,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the headers are for this one
		},
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	if t.header, err = parseHeaders(o.Headers); err != nil {
		return nil, err
	}
	return t, nil
}

// Start lets spans be sent. Close ends that.
func (t *Traces) Start() { go t.run() }

// parseHeaders reads what the collector wants to be sent. Its errors do not quote it: it may be a key.
func parseHeaders(text string) (http.Header, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	for item := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			return nil, errors.New("read OTEL_EXPORTER_OTLP_HEADERS: want name=value, with commas between them")
		}
		h.Set(name, value)
	}
	return h, nil
}

// Observe takes a call that is over, if its trace is sampled. It does not wait.
func (t *Traces) Observe(rec *gateway.Record) {
	if !rec.Trace.Sampled {
		return
	}
	select {
	case t.waiting <- *rec:
	default:
		t.dropped.Add(int64(1 + len(rec.Attempts)))
	}
}

// Spans is how many the collector took, how many it did not, and how many it was not even sent.
func (t *Traces) Spans() (sent, failed, dropped int64) {
	return t.sent.Load(), t.failed.Load(), t.dropped.Load()
}

// Close sends what waits, until ctx ends.
func (t *Traces) Close(ctx context.Context) {
	close(t.closing)
	select {
	case <-t.done:
	case <-ctx.Done():
		t.stop()
		<-t.done
	}
	t.client.CloseIdleConnections()
}

// run collects calls and sends them together, at least every second.
func (t *Traces) run() {
	defer close(t.done)
	var spans []span
	calls := 0
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	send := func() {
		if calls > 0 {
			t.send(spans)
			spans, calls = spans[:0], 0
		}
	}
	for {
		select {
		case rec := <-t.waiting:
			spans, calls = spansOf(spans, &rec), calls+1
			if calls == maxTogether {
				send()
			}
		case <-tick.C:
			send()
		case <-t.closing:
			for {
				select {
				case rec := <-t.waiting:
					spans, calls = spansOf(spans, &rec), calls+1
					if calls == maxTogether {
						send()
					}
					continue
				default:
				}
				send()
				return
			}
		}
	}
}

func (t *Traces) send(spans []span) {
	err := t.post(spans)
	if err == nil {
		t.sent.Add(int64(len(spans)))
		return
	}
	failed := t.failed.Add(int64(len(spans)))
	if now := time.Now(); now.Sub(t.told) > tellEvery {
		t.told = now
		t.opts.Log.Warn("the collector of traces does not take them", "spans", failed, "error", err.Error())
	}
}

func (t *Traces) post(spans []span) error {
	type scope struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	type scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	type resource struct {
		Attributes attributes `json:"attributes"`
	}
	type resourceSpans struct {
		Resource resource     `json:"resource"`
		Scopes   []scopeSpans `json:"scopeSpans"`
	}
	var about attributes
	about.text("service.name", "understudy")
	about.text("service.version", t.opts.Version)
	body, err := json.Marshal(map[string][]resourceSpans{"resourceSpans": {{
		resource{about}, []scopeSpans{{scope{"github.com/understudy-ai/understudy/telemetry", t.opts.Version}, spans}},
	}}})
	if err != nil {
		return fmt.Errorf("write spans: %w", err)
	}
	req, err := http.NewRequestWithContext(t.ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send spans: %w", err)
	}
	req.Header = t.header.Clone()
	resp, err := t.client.Do(req)
	if err != nil {
		return fmt.Errorf("send spans: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	const most = 4 << 10 // then the connection can be kept
	_, _ = io.CopyN(io.Discard, resp.Body, most)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("send spans: got status %d", resp.StatusCode)
	}
	return nil
}
