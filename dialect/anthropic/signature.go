package anthropic

import (
	"encoding/hex"
	"hash"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// marker begins the signatures of this gateway's own: under thinking that no vendor signed, and around what another
// vendor signed or sealed. So a client of this dialect carries them, and they are known again when they come back.
const marker = "understudy.v1."

// unsigned stands for the issuer of thinking that nobody signed.
const unsigned = "unsigned"

// shownSignature is what a client is given under thinking that this dialect's vendor did not sign. sum is of the text
// and may be nil.
func shownSignature(issuedBy, signature string, sum hash.Hash) string {
	switch {
	case issuedBy != "" && issuedBy != issuer && signature != "":
		return marker + issuedBy + "." + signature
	case sum == nil:
		return marker + unsigned
	}
	return marker + unsigned + "." + hex.EncodeToString(sum.Sum(nil)[:8])
}

// shownSealed is what a client is given of sealed thinking.
func shownSealed(t *llm.Thinking) string {
	if t.Sealed == "" || t.Issuer == issuer {
		return t.Sealed
	}
	return marker + t.Issuer + "." + t.Sealed
}

// issued is who signed or sealed what a client gives back, and what that vendor made of it.
func issued(shown string) (by, own string) {
	if shown == "" {
		return "", ""
	}
	rest, ours := strings.CutPrefix(shown, marker)
	if !ours {
		return issuer, shown
	}
	by, own, _ = strings.Cut(rest, ".")
	if by == unsigned || by == issuer || own == "" {
		return "", ""
	}
	return by, own
}
