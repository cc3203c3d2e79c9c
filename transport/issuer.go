package transport

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/oauth2"

	"github.com/understudy-ai/understudy/provider"
)

// Those who give out credentials are named by the operator, in the config, in the
// environment or in files, or have fixed addresses. No client and no provider has a
// say in it, so the guard before them differs from that before providers: a machine's own
// metadata service may be asked if it is asked for by its very address, and any other
// may be at a private address, since its certificate says who it is.

// machine is where clouds give credentials to the programs on their machines and in their
// containers.
var machine = prefixes(
	"169.254.0.0/16",                        // on the link
	"fd00:ec2::254/128", "fd00:ec2::23/128", // Amazon's, IPv6
)

// metadataName is Google's name for its metadata service.
const metadataName = "metadata.google.internal"

// issuerDial bounds a connection to whoever gives out credentials, and issuerAnswer an
// answer. Metadata services answer at once or, where there is none, never.
const (
	issuerDial   = 2 * time.Second
	issuerAnswer = 10 * time.Second
)

// issuerDialer connects to those who give out credentials.
type issuerDialer struct{ names *names }

// newIssuers returns the client for those who give out credentials. It follows no
// redirect: a secret goes where it was meant to go.
func newIssuers(o *Options, n *names) *http.Client {
	return &http.Client{
		Timeout:       issuerAnswer,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: encrypted{&http.Transport{
			Proxy:                  issuerProxy(o.Proxy),
			DialContext:            (&issuerDialer{names: n}).dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, Time: o.Now},
			TLSHandshakeTimeout:    issuerDial,
			IdleConnTimeout:        10 * time.Second, // a token lasts for an hour
			MaxResponseHeaderBytes: maxHeader,
			ForceAttemptHTTP2:      true,
		}},
	}
}

// encrypted keeps secrets from the network: in plain text they go to private names only.
type encrypted struct{ *http.Transport }

// RoundTrip makes a request.
func (e encrypted) RoundTrip(r *http.Request) (*http.Response, error) {
	if host := r.URL.Hostname(); r.URL.Scheme != "https" && !provider.IsPrivateHost(host) && !isMachine(host) {
		return nil, errIssuerPlain
	}
	return e.Transport.RoundTrip(r)
}

var errIssuerPlain = errors.New("its address is not https")

// isMachine reports whether host is a machine's own service by its very address, or by
// the name that is only theirs.
func isMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == metadataName || err == nil && within(machine, addr)
}

// issuerProxy finds the proxy of a request; a machine's own services are never behind
// one.
func issuerProxy(find func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if isMachine(r.URL.Hostname()) {
			return nil, nil
		}
		proxy, err := find(r)
		if err != nil {
			return nil, errProxySetting
		}
		return proxy, nil
	}
}

func (d *issuerDialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, issuerDial, errConnectTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.names.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return issuerAllowed(host, to.Addr())
	}}
	var first error
	for _, addr := range alternate(addrs) {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(addr.String(), port))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = timeoutOr(ctx, err)
		}
	}
	return nil, first
}

// issuerAllowed is the egress guard before those who give out credentials.
func issuerAllowed(host string, addr netip.Addr) error {
	if meant, err := netip.ParseAddr(host); within(machine, addr) && (host == metadataName || err == nil && meant == addr) {
		return nil
	}
	return Allowed(addr, true)
}

// unreachable words why whoever gives out credentials could not be reached. An address
// on the way there has no secret; its query could have one.
func unreachable(err error) string {
	host := "its address"
	var at *url.Error
	if errors.As(err, &at) {
		if u, parseErr := url.Parse(at.URL); parseErr == nil {
			host = u.Host
		}
		err = at.Err
	}
	var late net.Error
	switch {
	case errors.Is(err, ErrAddress):
		return fmt.Sprintf("no connection to %s: %v", host, ErrAddress)
	case errors.Is(err, errIssuerPlain):
		return fmt.Sprintf("nothing is sent to %s: %v", host, errIssuerPlain)
	case errors.As(err, &late) && late.Timeout(), errors.Is(err, errConnectTimeout):
		return "no answer from " + host + " in time"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Sprintf("no connection to %s: %v", host, op.Err)
	}
	return "no answer from " + host
}

// noted is what happened to the requests that a library makes for one token. The
// library's own errors are no help: they have the answer in them, which can quote what
// was sent, and of a connection that failed nothing but text.
type noted struct {
	next    http.RoundTripper
	asked   bool
	failure error // of the latest request
}

// note returns a client that does what issuers does, and where it notes what happened.
func note(issuers *http.Client) (*noted, *http.Client) {
	n := &noted{next: issuers.Transport}
	client := *issuers
	client.Transport = n
	return n, &client
}

// RoundTrip makes a request.
func (n *noted) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(r)
	n.asked, n.failure = true, err
	if err != nil {
		n.failure = &url.Error{Op: r.Method, URL: r.URL.String(), Err: err}
	}
	return resp, err
}

// explain words the error of a library.
func (n *noted) explain(err error) *CredentialError {
	var answered *oauth2.RetrieveError
	switch {
	case n.failure != nil:
		return &CredentialError{Reason: unreachable(n.failure)}
	case !n.asked:
		return &CredentialError{Refused: true, Reason: "the credentials cannot be used: something is missing in them or malformed"}
	case !errors.As(err, &answered) || answered.Response == nil:
		return &CredentialError{Reason: "the token service answered something else than a token"}
	}
	code := struct {
		Error string `json:"error"`
	}{answered.ErrorCode}
	if code.Error == "" {
		_ = json.Unmarshal(answered.Body, &code) // a body of another kind says no more than the status
	}
	status := answered.Response.StatusCode
	reason := fmt.Sprintf("%s answered HTTP %d", answered.Response.Request.URL.Host, status)
	if code.Error != "" {
		reason += " " + word(code.Error)
	}
	return &CredentialError{Refused: isRefusal(status), Reason: reason}
}

// isRefusal reports whether a status says no, rather than not now.
func isRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// word is an error code that somebody answered, for a log: letters, as all that are
// known. What has digits could be a key that is quoted.
func word(s string) string {
	const longest = 48
	isOdd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '.'
	}
	if s == "" || len(s) > longest || strings.ContainsFunc(s, isOdd) {
		return "something else"
	}
	return s
}
