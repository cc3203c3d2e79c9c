package access_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

func TestCredential(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header http.Header
		want   string
		code   llm.Code
	}{
		"none":              {http.Header{}, "", ""},
		"bearer":            {http.Header{"Authorization": {"Bearer k1"}}, "k1", ""},
		"bearer, any case":  {http.Header{"Authorization": {"bearer  k1 "}}, "k1", ""},
		"empty bearer":      {http.Header{"Authorization": {"Bearer "}}, "", ""},
		"x-api-key":         {http.Header{"X-Api-Key": {"k1"}}, "k1", ""},
		"api-key":           {http.Header{"Api-Key": {"k1"}}, "k1", ""},
		"x-goog-api-key":    {http.Header{"X-Goog-Api-Key": {"k1"}}, "k1", ""},
		"the same twice":    {http.Header{"X-Api-Key": {"k1"}, "Authorization": {"Bearer k1"}}, "k1", ""},
		"two that differ":   {http.Header{"X-Api-Key": {"k1"}, "Authorization": {"Bearer k2"}}, "", llm.CodeInvalidRequest},
		"two of one header": {http.Header{"X-Api-Key": {"k1", "k2"}}, "", llm.CodeInvalidRequest},
		"only by case":      {http.Header{"X-Api-Key": {"k1"}, "Api-Key": {"K1"}}, "", llm.CodeInvalidRequest},
		"another scheme":    {http.Header{"Authorization": {"Basic eDp5"}}, "", llm.CodeAuthentication},
		"no scheme":         {http.Header{"Authorization": {"k1"}}, "", llm.CodeAuthentication},
		"an AWS signature":  {http.Header{"Authorization": {signature}}, "", llm.CodeAuthentication},
		"too long":          {http.Header{"X-Api-Key": {strings.Repeat("k", 1<<20)}}, "", llm.CodeAuthentication},
		"control character": {http.Header{"X-Api-Key": {"k\x001"}}, "", llm.CodeAuthentication},
		"not ASCII":         {http.Header{"X-Api-Key": {"kéy"}}, "", llm.CodeAuthentication},
	} {
		got, err := access.Credential(test.header)
		var code llm.Code
		if err != nil {
			code = err.Code
		}
		if got != test.want || code != test.code {
			t.Errorf("%s: got %q, code %q; want %q, code %q", name, got, code, test.want, test.code)
		}
	}
}

const signature = "AWS4-HMAC-SHA256 Credential=AKID/20261125/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ab"

// TestCredentialInQuery takes the address's credential like any other.
func TestCredentialInQuery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header  http.Header
		inQuery []string
		want    string
		code    llm.Code
	}{
		"alone":        {http.Header{}, []string{"k1"}, "k1", ""},
		"the same":     {http.Header{"X-Goog-Api-Key": {"k1"}}, []string{"k1"}, "k1", ""},
		"another":      {http.Header{"X-Goog-Api-Key": {"k1"}}, []string{"k2"}, "", llm.CodeInvalidRequest},
		"two":          {http.Header{}, []string{"k1", "k2"}, "", llm.CodeInvalidRequest},
		"an empty one": {http.Header{"X-Goog-Api-Key": {"k1"}}, []string{""}, "k1", ""},
		"no key":       {http.Header{}, []string{"k 1"}, "", llm.CodeAuthentication},
	} {
		got, err := access.Credential(test.header, test.inQuery...)
		var code llm.Code
		if err != nil {
			code = err.Code
		}
		if got != test.want || code != test.code {
			t.Errorf("%s: got %q, code %q; want %q, code %q", name, got, code, test.want, test.code)
		}
	}
}

// TestSignature says what to do instead of a signature, and lets it pass while nobody
// needs a key.
func TestSignature(t *testing.T) {
	t.Parallel()
	if _, err := access.Credential(http.Header{"Authorization": {signature}}); err == nil || !strings.Contains(err.Message, "AWS_BEARER_TOKEN_BEDROCK") || strings.Contains(err.Message, "AKID") {
		t.Errorf("got %v, want the bearer token named", err)
	}
	header := http.Header{"Authorization": {signature}}
	if g, err := nobody.Check(header, ""); err != nil || g != nil || header.Get("Authorization") != signature {
		t.Errorf("got %v, %v; want anonymous, and the header left alone", g, err)
	}
	for _, other := range []http.Header{
		{"Authorization": {signature}, "X-Api-Key": {"a", "b"}},
		{"Authorization": {signature, "Bearer k"}},
		{"Authorization": {"AWS4-ECDSA-P256-SHA256 Credential=x"}},
	} {
		if _, err := nobody.Check(other, ""); err == nil {
			t.Errorf("%v: got it admitted, want it refused", other)
		}
	}
}

// nobody is a registry that lets everybody call.
var nobody *access.Registry

func TestAnonymous(t *testing.T) {
	t.Parallel()
	if g, err := nobody.Check(http.Header{}, ""); err != nil || g != nil {
		t.Errorf("got %v, %v; want anonymous", g, err)
	}
	if _, err := nobody.Check(http.Header{"Sec-Fetch-Site": {"cross-site"}}, ""); err == nil || err.Code != llm.CodePermission {
		t.Errorf("got %v for a page of another site, want it refused", err)
	}
	if _, err := nobody.Check(http.Header{"Sec-Fetch-Site": {"same-site"}}, ""); err != nil {
		t.Errorf("got %v for a page of the same site, want none", err)
	}
	if _, err := nobody.Check(http.Header{"X-Api-Key": {"a", "b"}}, ""); err == nil {
		t.Error("got an ambiguous caller admitted")
	}
}
