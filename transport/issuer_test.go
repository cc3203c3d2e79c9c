package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

// TestIssuersAllowed lets a machine's own services through by their own addresses only.
func TestIssuersAllowed(t *testing.T) {
	for _, tc := range []struct {
		host, addr string
		want       bool
	}{
		{"login.example", "8.8.8.8", true},
		{"login.example", "10.0.0.1", true}, // an endpoint of the cloud's in the own network
		{"login.example", "169.254.169.254", false},
		{"login.example", "fd00:ec2::254", false},
		{"login.example", "169.254.1.1", false},
		{"login.internal", "10.0.0.1", true},
		{"login.internal", "169.254.169.254", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"169.254.169.254", "169.254.169.254", true},
		{"169.254.170.2", "169.254.170.2", true},
		{"169.254.170.23", "169.254.170.23", true},
		{"169.254.170.2", "169.254.169.254", false},
		{"fd00:ec2::23", "fd00:ec2::23", true},
		{"169.254.129.4", "169.254.129.4", true}, // Azure's App Service
		{"169.254.129.4", "169.254.169.254", false},
		{"fe80::1", "fe80::1", false},
		{"metadata.google.internal", "169.254.169.254", true},
		{"metadata.google.internal.evil.example", "169.254.169.254", false},
		{"100.100.100.200", "100.100.100.200", false},
	} {
		err := issuerAllowed(tc.host, netip.MustParseAddr(tc.addr))
		if (err == nil) != tc.want || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("%s at %s: got %v, want it let through %v", tc.host, tc.addr, err, tc.want)
		}
	}
}

// TestMetadataRefused holds what an operator may ask for credentials against what a
// provider may be: the metadata service is no provider, whoever names it.
func TestMetadataRefused(t *testing.T) {
	for _, auth := range []string{provider.AuthBearer, provider.AuthNone} {
		for _, host := range []string{"169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal"} {
			tr := newTransport(t, Options{Resolver: fixed{netip.MustParseAddr("169.254.169.254")}})
			_, _, err := send(t, tr, Request{Provider: local(auth), URL: "http://" + host + "/computeMetadata"})
			if !errors.Is(err, ErrAddress) {
				t.Errorf("%s, auth %s: got %v, want it refused", host, auth, err)
			}
		}
	}
}

// fixed is a resolver that knows one address.
type fixed struct{ addr netip.Addr }

func (f fixed) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{f.addr}, nil
}

// TestIssuerRebound resolves the name of a token service to the metadata service, or
// names one that the whole network would see the secret of: it goes nowhere.
func TestIssuerRebound(t *testing.T) {
	for authority, want := range map[string]string{
		"https://login.example":  "no connection to login.example: address refused by the egress guard",
		"http://login.internal":  "no connection to login.internal: address refused by the egress guard",
		"http://login.example":   "nothing is sent to login.example: its address is not https",
		"http://100.100.100.200": "nothing is sent to 100.100.100.200: its address is not https",
	} {
		noAzure(t)
		for name, value := range map[string]string{
			"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "canary", "AZURE_AUTHORITY_HOST": authority,
		} {
			t.Setenv(name, value)
		}
		tr := newTransport(t, Options{Resolver: fixed{netip.MustParseAddr("169.254.169.254")}})
		_, _, err := send(t, tr, Request{Provider: tokened(provider.AuthEntra, entraScope, ""), URL: "http://127.0.0.1:1"})
		checkNoCredential(t, err, false, want)
	}
}

// TestIssuerRedirects answers a request for a token with another address (S35).
func TestIssuerRedirects(t *testing.T) {
	stolen := false
	thief := serve(t, func(http.ResponseWriter, *http.Request) { stolen = true })
	authority := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief, http.StatusTemporaryRedirect)
	})
	noAzure(t)
	for name, value := range map[string]string{
		"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "canary", "AZURE_AUTHORITY_HOST": authority,
	} {
		t.Setenv(name, value)
	}
	_, _, err := send(t, newTransport(t, Options{}), Request{Provider: tokened(provider.AuthEntra, entraScope, ""), URL: "http://127.0.0.1:1"})
	checkNoCredential(t, err, false, "answered HTTP 307")
	if stolen {
		t.Error("got the secret sent on, want it to go where it was meant to go")
	}
}

// TestIssuerProxy asks through the operator's proxy, except for a machine's own.
func TestIssuerProxy(t *testing.T) {
	find := issuerProxy(func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.example:3128") })
	for host, want := range map[string]bool{"login.example": true, "169.254.169.254": false, "169.254.170.2": false, metadataName: false} {
		got, err := find(&http.Request{URL: &url.URL{Scheme: "http", Host: host}})
		if err != nil || (got != nil) != want {
			t.Errorf("%s: got proxy %v, %v, want one %v", host, got, err, want)
		}
	}
}

// TestNothingAtStart builds a transport and closes it: nobody is asked for anything.
func TestNothingAtStart(t *testing.T) {
	asked := false
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", serve(t, func(http.ResponseWriter, *http.Request) { asked = true }))
	newTransport(t, Options{}).Close()
	if asked {
		t.Error("got a request for credentials, want none before they are needed")
	}
}

// TestCredentialsStayHidden sends with each way to authenticate, to services that give
// out credentials and to such that quote what they were sent, and looks for it in what
// is logged and in every error.
func TestCredentialsStayHidden(t *testing.T) {
	const canary = "canary-0123456789"
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":"`+canary+`","error_description":"`+string(body)+`"}`)
	})
	account, _ := serviceAccount(t, echo)
	t.Chdir(noAWS(t))
	noGoogle(t)
	noAzure(t)
	for name, value := range map[string]string{
		"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": canary, "AZURE_AUTHORITY_HOST": echo,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": echo, "AWS_CONTAINER_AUTHORIZATION_TOKEN": canary, "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	var log strings.Builder
	for _, auth := range provider.Auths() {
		key := provider.NewSecret(canary)
		switch provider.KeyUseOf(auth) {
		case provider.KeyFile:
			key = provider.NewSecret(account)
		case provider.KeyOptional, provider.KeyUnused:
			key = provider.Secret{}
		case provider.KeyShown:
		}
		tr := newTransport(t, Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))})
		p := &provider.Provider{ID: "p", Private: true, Key: key, Facts: provider.Facts{Auth: auth, Scope: "s", Region: "eu-central-1"}}
		for _, at := range []string{echo, "http://127.0.0.1:1", "http://user:" + canary + "@127.0.0.1:1"} {
			_, _, err := send(t, tr, Request{Provider: p, URL: at, Connect: 5 * time.Second})
			if err != nil {
				log.WriteString(err.Error() + "\n")
			}
		}
		io.WriteString(&log, slog.AnyValue(p).String()+"\n")
	}
	for _, secret := range []string{canary, "PRIVATE KEY", "assertion="} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("got %q shown, want it hidden:\n%s", secret, log.String())
		}
	}
	t.Log(log.String())
}
