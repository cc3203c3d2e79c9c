// Package access says who is calling and what they may use. It reads a caller's credential
// from wherever a vendor's SDK puts it, and knows the virtual keys: those that the config
// declares and those that a Store keeps. Of a key's text only an HMAC is kept. Everything a
// call needs is in memory, in parts that are never changed, only replaced.
package access

import (
	"net/http"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// Caller is who the credential belongs to, and who they belong to.
type Caller struct {
	Key                      string // the id of the virtual key; empty for an anonymous caller
	Name                     string // what logs and the ledger show
	User, Team, Organisation string
	Tag                      string // what its calls are for where they do not say so themselves: the words of its tags
}

// Limits bound how much a caller may have at once and in a minute; 0 is no limit.
type Limits struct {
	RequestsPerMinute int64 `json:"requests_per_minute,omitempty" doc:"0 is no limit."`
	TokensPerMinute   int64 `json:"tokens_per_minute,omitempty" doc:"0 is no limit."`
	Concurrent        int64 `json:"concurrent,omitempty" doc:"Requests at once; 0 is no limit."`
}

// Anonymous is a caller without a name.
const Anonymous = "anonymous"

// maxCredential bounds a credential: no vendor's key comes near it.
const maxCredential = 4096

// Credential returns the one credential of a request; empty if there is none.
// The headers of all SDKs mean the same, and so does what is in the address.
func Credential(h http.Header, inQuery ...string) (string, *llm.Error) {
	found := credential{}
	for _, value := range h["Authorization"] {
		scheme, token, _ := strings.Cut(value, " ")
		switch {
		case strings.EqualFold(scheme, awsSignature):
			return "", refuse("it is an AWS signature, which only AWS can check; set a bearer token in the SDK, as by AWS_BEARER_TOKEN_BEDROCK")
		case !strings.EqualFold(scheme, "Bearer"):
			return "", refuse("the Authorization header must be of the form \"Bearer KEY\"")
		}
		if err := found.add(token); err != nil {
			return "", err
		}
	}
	for _, values := range [][]string{h["X-Api-Key"], h["Api-Key"], h["X-Goog-Api-Key"], inQuery} {
		for _, value := range values {
			if err := found.add(value); err != nil {
				return "", err
			}
		}
	}
	return found.value, nil
}

// awsSignature is the scheme of the Authorization header in which AWS SDKs sign.
const awsSignature = "AWS4-HMAC-SHA256"

func isSignature(authorization []string) bool {
	if len(authorization) != 1 {
		return false
	}
	scheme, _, _ := strings.Cut(authorization[0], " ")
	return scheme == awsSignature
}

// credential is what has been found so far.
type credential struct{ value string }

func (c *credential) add(value string) *llm.Error {
	value = strings.TrimSpace(value)
	if len(value) > maxCredential || strings.ContainsFunc(value, func(r rune) bool { return r <= 0x20 || r > 0x7e }) {
		return refuse("the credential is too long or has characters that no key has")
	}
	switch {
	case value == "" || value == c.value:
	case c.value != "":
		return &llm.Error{
			Code: llm.CodeInvalidRequest, Origin: llm.OriginClient,
			Message: "The request carries two credentials that differ. Send one.",
		}
	default:
		c.value = value
	}
	return nil
}

func refuse(why string) *llm.Error {
	return &llm.Error{Code: llm.CodeAuthentication, Origin: llm.OriginClient, Message: "The credential cannot be read: " + why + "."}
}
