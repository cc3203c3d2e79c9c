package forms

import (
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// OpenAINames chooses the names of tools to send to OpenAI, of letters, digits, _ and -, and at most so many bytes.
func OpenAINames(all []string, most int) (Names, error) {
	for _, name := range all {
		if name == "" {
			return Names{}, llm.Invalid("tools", "A tool has no name.")
		}
	}
	return NewNames(all, NameRule{
		IsLegal: func(name string) bool { return IsOpenAIName(name, most) },
		Legal:   func(name string) string { return OpenAIName(name, most) },
		Other:   func(name, _, salt string) string { return hashedName(name, salt, most) },
		Salt:    "'",
	}), nil
}

// IsOpenAIName reports whether OpenAI takes a name.
func IsOpenAIName(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexFunc(s, isIllegalInName) < 0
}

func isIllegalInName(r rune) bool {
	return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// OpenAIName replaces what a name may not have; a longer name is cut and told apart by a digest.
func OpenAIName(s string, most int) string {
	if clean := cleanName(s); len(clean) <= most {
		return clean
	}
	return hashedName(s, s, most)
}

func cleanName(s string) string {
	return strings.Map(func(r rune) rune {
		if isIllegalInName(r) {
			return '_'
		}
		return r
	}, s)
}

// hashedName is a legal name for s that ends in a digest of salt.
func hashedName(s, salt string, most int) string {
	const size = 8
	clean := cleanName(s)
	return clean[:min(len(clean), most-size-1)] + "_" + Digest(salt, size)
}

// CallIDs maps ids of calls to ones that are no longer than a target takes.
type CallIDs struct {
	Most    int
	forward map[string]string
	taken   map[string]bool
}

// Sent is the id to send for the client's: itself where it fits.
func (c *CallIDs) Sent(id string) string {
	if id != "" && len(id) <= c.Most {
		return id
	}
	if sent, ok := c.forward[id]; ok {
		return sent
	}
	if c.forward == nil {
		c.forward, c.taken = map[string]string{}, map[string]bool{}
	}
	sent := "call_" + Digest(id, 24)
	for salt := id + "'"; c.taken[sent]; salt += "'" {
		sent = "call_" + Digest(salt, 24)
	}
	c.forward[id], c.taken[sent] = sent, true
	return sent
}

// Changed reports whether an id differs.
func (c *CallIDs) Changed() bool { return len(c.forward) > 0 }
