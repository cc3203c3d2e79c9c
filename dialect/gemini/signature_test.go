package gemini

import (
	"encoding/base64"
	"testing"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// TestUnsigned holds the form in which SDKs send the placeholder, and that it counts for no signature.
func TestUnsigned(t *testing.T) {
	if got, err := base64.StdEncoding.DecodeString(unsigned); err != nil || string(got) != placeholder {
		t.Errorf("got %q, %v in base64 want %q", got, err, placeholder)
	}
	if got := signedBy(jsontext.Value(`"` + unsigned + `"`)); got != "" {
		t.Errorf("got it read as the signature %q want none", got)
	}
}
