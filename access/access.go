// Package access says who is calling. It reads a caller's credential from
// wherever a vendor's SDK puts it; today every caller may use everything, since
// the gateway then listens on loopback only.
package access

import (
	"net/http"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// Caller is who the credential belongs to.
type Caller struct{ Name string }

// Anonymous is a caller without a name.
const Anonymous = "anonymous"

// maxCredential bounds a credential: no vendor's key comes near it.
const maxCredential = 4096

// Check returns the caller of a request, or why it is refused: credentials that
// differ are ambiguous, and ambiguity is never resolved to the stronger one.
//
// A page of another site that a browser has open is no caller: while nobody needs
// a key, it could spend the operator's money. Programs send no Sec-Fetch-Site.
func Check(h http.Header) (Caller, *llm.Error) {
	if h.Get("Sec-Fetch-Site") == "cross-site" {
		return Caller{}, &llm.Error{
			Code: llm.CodePermission, Origin: llm.OriginClient,
			Message: "The request comes from a web page of another site. Call the gateway from a program, or from a page of the same site.",
		}
	}
	if _, err := Credential(h); err != nil {
		return Caller{}, err
	}
	return Caller{Name: Anonymous}, nil
}

// Credential returns the one credential of a request; empty if there is none.
// The headers of all SDKs mean the same.
func Credential(h http.Header) (string, *llm.Error) {
	var found string
	for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
		for _, value := range h.Values(name) {
			if name == "Authorization" {
				scheme, token, _ := strings.Cut(value, " ")
				if !strings.EqualFold(scheme, "Bearer") {
					return "", refuse("the Authorization header must be of the form \"Bearer KEY\"")
				}
				value = token
			}
			value = strings.TrimSpace(value)
			if len(value) > maxCredential || strings.ContainsFunc(value, func(r rune) bool { return r <= 0x20 || r > 0x7e }) {
				return "", refuse("the credential is too long or has characters that no key has")
			}
			switch {
			case value == "" || value == found:
			case found != "":
				return "", &llm.Error{
					Code: llm.CodeInvalidRequest, Origin: llm.OriginClient,
					Message: "The request carries two credentials that differ. Send one.",
				}
			default:
				found = value
			}
		}
	}
	return found, nil
}

func refuse(why string) *llm.Error {
	return &llm.Error{Code: llm.CodeAuthentication, Origin: llm.OriginClient, Message: "The credential cannot be read: " + why + "."}
}
