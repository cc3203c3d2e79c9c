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

func TestCheck(t *testing.T) {
	t.Parallel()
	if caller, err := access.Check(http.Header{}); err != nil || caller.Name != access.Anonymous {
		t.Errorf("got %v, %v; want anonymous", caller, err)
	}
	if _, err := access.Check(http.Header{"Sec-Fetch-Site": {"cross-site"}}); err == nil || err.Code != llm.CodePermission {
		t.Errorf("got %v for a page of another site, want it refused", err)
	}
	if _, err := access.Check(http.Header{"Sec-Fetch-Site": {"same-site"}}); err != nil {
		t.Errorf("got %v for a page of the same site, want none", err)
	}
	if _, err := access.Check(http.Header{"X-Api-Key": {"a", "b"}}); err == nil {
		t.Error("got an ambiguous caller admitted")
	}
}
