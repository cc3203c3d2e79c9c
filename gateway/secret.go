package gateway

import (
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// hideKey takes the vendor's words out of an error where they hold the key or token
// that the attempt showed to it: services quote a key that they do not like, in whole or
// in part. The dialects hide what looks like some key; only here is it known which.
func (a *attempt) hideKey(e *llm.Error) {
	key := a.shown
	if mentions(e.Message, key) {
		e.Message = e.Code.Info().Doc
	}
	for _, word := range []*string{&e.Param, &e.Type, &e.VendorCode} {
		if mentions(*word, key) {
			*word = ""
		}
	}
}

// mentions reports whether text holds a secret, or enough of it to be worth
// hiding.
func mentions(text string, key provider.Secret) bool {
	const telling = 8
	secret := key.Reveal()
	for i := 0; i+telling <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+telling]) {
			return true
		}
	}
	return false
}

// asciiEscape is a character that JSON need not escape, escaped.
var asciiEscape = regexp.MustCompile(`\\u00[2-7][0-9A-Fa-f]`)

// unescaped is JSON text without the escapes behind which a key, or a name, could hide.
func unescaped(text []byte) string {
	plain := asciiEscape.ReplaceAllFunc(text, func(escape []byte) []byte {
		b := make([]byte, 1)
		_, _ = hex.Decode(b, escape[len(`\u00`):]) // two hexadecimal digits
		return b
	})
	return strings.ReplaceAll(string(plain), `\/`, "/")
}
