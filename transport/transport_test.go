package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-ai/understudy/provider"
)

func TestMain(m *testing.M) {
	// Those that are parallel wait for most of their time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic("BUG: " + err.Error())
	}
	log.SetOutput(io.Discard) //nolint:forbidigo // net/http has a line for every frame that a peer may not send
	goleak.VerifyTestMain(m)
}

const testKey = "sk-canary"

// local is a provider on this machine.
func local(auth string) *provider.Provider {
	return &provider.Provider{
		ID: "p", Private: true, Key: provider.NewSecret(testKey),
		Facts: provider.Facts{Auth: auth, Headers: map[string]string{"x-version": "1", "x-given": "ours"}},
	}
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

func newTransport(t *testing.T, o Options) *Transport {
	t.Helper()
	if o.Proxy == nil {
		o.Proxy = noProxy
	}
	tr := New(o)
	t.Cleanup(tr.Close)
	return tr
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// send sends a body to a local provider and reads the whole answer.
func send(t *testing.T, tr *Transport, r Request) (*Response, string, error) {
	t.Helper()
	if r.Provider == nil {
		r.Provider = local("bearer")
	}
	if r.Body == nil {
		r.Body = []byte(`{"model":"m"}`)
	}
	resp, err := tr.Send(t.Context(), r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

func TestSend(t *testing.T) {
	var got *http.Request
	var body []byte
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Date", "Wed, 21 Oct 2026 07:28:00 GMT")
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short and stout")
	})
	tr := newTransport(t, Options{UserAgent: "understudy/9"})
	resp, text, err := send(t, tr, Request{
		URL: at + "/v1/x", Header: http.Header{"X-Dialect": {"a", "b"}, "x-given": {"theirs"}}, Body: []byte(`{"a":1}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusTeapot || text != "short and stout" || resp.Header.Get("X-Answer") != "yes" {
		t.Errorf("answer: got %d %q %v, want what the provider sent", resp.Status, text, resp.Header)
	}
	if want := time.Date(2026, 10, 21, 7, 28, 0, 0, time.UTC); !resp.Date().Equal(want) {
		t.Errorf("Date: got %v, want the provider's %v", resp.Date(), want)
	}
	if got.Method != http.MethodPost || got.URL.Path != "/v1/x" || string(body) != `{"a":1}` || got.ContentLength != 7 {
		t.Errorf("request: got %s %s %q of %d bytes, want the one sent", got.Method, got.URL, body, got.ContentLength)
	}
	want := http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "Authorization": {"Bearer " + testKey},
		"Content-Length": {"7"}, "Content-Type": {"application/json"}, "User-Agent": {"understudy/9"},
		"X-Dialect": {"a", "b"}, "X-Given": {"theirs"}, "X-Version": {"1"},
	}
	if len(got.Header) != len(want) {
		t.Errorf("headers: got %v, want %v", got.Header, want)
	}
	for name, values := range want {
		if strings.Join(got.Header[name], "|") != strings.Join(values, "|") {
			t.Errorf("%s: got %q, want %q", name, got.Header[name], values)
		}
	}
}

func TestSendStream(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Accept")+" "+r.Method+" "+r.Header.Get("Content-Type"))
	})
	tr := newTransport(t, Options{})
	if _, got, err := send(t, tr, Request{URL: at, Stream: true, Accept: "text/event-stream", Method: http.MethodGet, Body: []byte{}}); err != nil || got != "text/event-stream GET " {
		t.Errorf("got %q, %v, want a GET without a body that accepts a stream", got, err)
	}
}

// TestAuth shows the key in the way that was asked for, and never the client's.
func TestAuth(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization")+"|"+r.Header.Get("X-Api-Key")+"|"+r.Header.Get("X-Goog-Api-Key")+"|"+r.Header.Get("Api-Key")+"|"+r.Host)
	})
	host := strings.TrimPrefix(at, "http://")
	keyless := local("bearer")
	keyless.Key = provider.Secret{}
	for _, tc := range []struct {
		p    *provider.Provider
		want string
	}{
		{local("bearer"), "Bearer " + testKey + "||||" + host},
		{local("x-api-key"), "|" + testKey + "|||" + host},
		{local("x-goog-api-key"), "||" + testKey + "||" + host},
		{local("api-key"), "|||" + testKey + "|" + host},
		{local("aws"), "Bearer " + testKey + "||||" + host},
		{local("none"), "||||" + host},
		{keyless, "||||" + host},
	} {
		dropped := http.Header{}
		for _, name := range []string{
			"authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie", "Idempotency-Key", "X-Idempotency-Key",
			"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Host",
			"Content-Length", "Content-Encoding", "Accept", "Accept-Encoding", "User-Agent", "Forwarded",
			"Proxy-Authorization", "X-Forwarded-For", "X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256",
		} {
			dropped[name] = []string{"client"}
		}
		tr := newTransport(t, Options{})
		if _, got, err := send(t, tr, Request{Provider: tc.p, URL: at, Header: dropped}); err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v, want %q", tc.p.Facts.Auth, got, err, tc.want)
		}
		for name := range dropped {
			if relayed(name) {
				t.Errorf("%s: got it relayed, want it left out", name)
			}
		}
	}
}

// TestConnectionsOfAHost asks for many paths, as clients do that name models in them: they
// share one connection, and each request goes to its own.
func TestConnectionsOfAHost(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]bool{}
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		peers[r.RemoteAddr] = true
		io.WriteString(w, r.RequestURI)
	})
	tr := newTransport(t, Options{})
	for i := range 20 {
		for range 2 {
			path := "/model/m%2F" + strconv.Itoa(i) + "?api-version=1"
			if _, got, err := send(t, tr, Request{URL: at + path}); err != nil || got != path {
				t.Fatalf("got %q, %v, want the request at %s", got, err, path)
			}
		}
	}
	if len(tr.pools) != 1 || len(peers) != 1 {
		t.Errorf("got %d pools and %d connections, want one", len(tr.pools), len(peers))
	}
	for address, want := range map[string]string{
		"http://h/a": "http://h", "http://h": "http://h", "http://h?a=/": "http://h", "https://h:1#x": "https://h:1", "http://a@b/c": "http://a@b", "": "", "x": "x", "/": "/",
	} {
		if got := origin(address); got != want {
			t.Errorf("origin(%q): got %q, want %q", address, got, want)
		}
	}
}

// Nobody goes where a provider points to (S35, S37).
func TestRedirectIsAnAnswer(t *testing.T) {
	var hits atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusTemporaryRedirect) })
	resp, _, err := send(t, newTransport(t, Options{}), Request{URL: at})
	if err != nil || resp.Status != http.StatusTemporaryRedirect || hits.Load() != 0 {
		t.Errorf("got %v, %v and %d requests at its location, want the 307 itself and none", resp, err, hits.Load())
	}
}

// What is no plain address of a provider is never dialled (S35, S36).
func TestRefusedURLs(t *testing.T) {
	tr := newTransport(t, Options{})
	public := &provider.Provider{ID: "q", Key: provider.NewSecret(testKey), Facts: provider.Facts{Auth: "bearer"}}
	for _, u := range []string{
		"", "/v1", "ftp://h/x", "https://", "https://user:secret@h/x", "https://allowed@evil.example/", "https://h:port/", "https://a b/",
		`https://allowed\@evil/`, "https://h/\n", "http://api.example.com/plain", "unix:///sock", "file:///etc/passwd",
	} {
		_, _, err := send(t, tr, Request{Provider: public, URL: u})
		var se *SendError
		if !errors.As(err, &se) || !errors.Is(err, errURL) && !errors.Is(err, errPlain) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want it refused and not quoted", u, err)
		}
	}
	if len(tr.pools) != 0 {
		t.Errorf("got %d pools, want none", len(tr.pools))
	}
}

// TestConnectionsAreReused counts connections: one for requests in turn, another
// for a fresh one, and others for another provider.
func TestConnectionsAreReused(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	tr := newTransport(t, Options{})
	other := local("bearer")
	other.ID = "other"
	for _, step := range []struct {
		r    Request
		want int32
	}{
		{Request{}, 1},
		{Request{}, 1},
		{Request{Fresh: true}, 2},
		{Request{Fresh: true}, 3},
		{Request{}, 3},
		{Request{Provider: other}, 4},
		{Request{}, 4},
	} {
		step.r.URL = s.URL
		if _, _, err := send(t, tr, step.r); err != nil || conns.Load() != step.want {
			t.Fatalf("%+v: got %d connections, %v, want %d", step.r, conns.Load(), err, step.want)
		}
	}
}

// TestAnswersStayApart gives requests up at random and looks for an answer that
// reaches another request.
func TestAnswersStayApart(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		token, _ := io.ReadAll(r.Body)
		n, _ := strconv.Atoi(string(token))
		w.Write(token)
		if n%3 == 0 {
			http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
			w.Write(bytes.Repeat([]byte("late"), n%5000))
		}
	})
	tr := newTransport(t, Options{})
	var wg sync.WaitGroup
	var crossed, whole atomic.Int32
	for worker := range 8 {
		wg.Go(func() {
			for i := range 250 {
				token := strconv.Itoa(10000*(worker+1) + i)
				ctx, cancel := context.WithCancel(t.Context())
				if i%7 == 0 {
					time.AfterFunc(time.Duration(i)*2*time.Microsecond, cancel)
				}
				resp, err := tr.Send(ctx, Request{Provider: local("none"), URL: at, Body: []byte(token)})
				if err == nil {
					got := make([]byte, len(token))
					n, _ := io.ReadFull(resp.Body, got)
					if !strings.HasPrefix(token, string(got[:n])) {
						crossed.Add(1)
					}
					if i%3 != 0 {
						if rest, err := io.ReadAll(resp.Body); err == nil && n == len(token) {
							whole.Add(1)
							if strings.Trim(string(rest), "late") != "" {
								crossed.Add(1)
							}
						}
					}
					resp.Body.Close()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if crossed.Load() != 0 || whole.Load() < 500 {
		t.Errorf("got %d answers to other requests and %d whole ones, want none and most", crossed.Load(), whole.Load())
	}
}

// TestCancelEndsTheRequest looks from the provider's side.
func TestCancelEndsTheRequest(t *testing.T) {
	for _, end := range []string{"context", "close"} {
		t.Run(end, func(t *testing.T) {
			gone := make(chan struct{})
			at := serve(t, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "begun")
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
				close(gone)
			})
			tr := newTransport(t, Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp, err := tr.Send(ctx, Request{Provider: local("none"), URL: at, Body: []byte("{}"), Stream: true})
			if err != nil {
				t.Fatal(err)
			}
			io.ReadFull(resp.Body, make([]byte, 5))
			if end == "context" {
				cancel()
				if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
					t.Errorf("read: got %v, want the context's error", err)
				}
			}
			resp.Body.Close()
			select {
			case <-gone:
			case <-time.After(patience):
				t.Error("got a request that goes on at the provider, want it ended")
			}
		})
	}
}

func TestDateIsLocalWhereNoneIsSent(t *testing.T) {
	now := time.Unix(1e9, 0)
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil })
	resp, _, err := send(t, newTransport(t, Options{Now: func() time.Time { return now }}), Request{URL: at})
	if err != nil || !resp.Date().Equal(now) {
		t.Errorf("got %v, %v, want %v", resp, err, now)
	}
}

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert: cert, key: key, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

// issue makes a certificate for 127.0.0.1 and name.
func (a *authority) issue(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: time.Unix(0, 0), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if name == "127.0.0.1" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// listen hands every connection to handle, numbered from 1, and ends with the test.
func listen(t testing.TB, handle func(conn net.Conn, n int)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() { handle(conn, n) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// readRequest reads one HTTP/1 request to its end.
func readRequest(br *bufio.Reader) error {
	r, err := http.ReadRequest(br)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// rst closes conn with RST.
func rst(conn net.Conn) {
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}
