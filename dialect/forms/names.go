package forms

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/understudy-ai/understudy/llm"
)

// Digest returns n letters and digits that stand for s.
func Digest(s string, n int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(s))
	out := make([]byte, n)
	for i := range out {
		out[i] = digits[sum[i]%byte(len(digits))]
	}
	return string(out)
}

// Hashed is a short text of letters and digits that stands for s: size characters, at most 22.
func Hashed(s string, size int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(s))
	out := make([]byte, 0, 22)
	for word := 0; len(out) < size; word++ {
		n := binary.BigEndian.Uint64(sum[8*word:])
		for i := 0; i < 10 && len(out) < size; i++ {
			out = append(out, digits[n%62])
			n /= 62
		}
	}
	return string(out)
}

// ToolNamesOf lists the names of the tools there are, and of those that were called.
func ToolNamesOf(tools []llm.Tool, messages []llm.Message) []string {
	list := make([]string, 0, 2*len(tools)) // mostly each is called once
	for i := range tools {
		if tools[i].Opaque == nil {
			list = append(list, tools[i].Name)
		}
	}
	for i := range messages {
		for j := range messages[i].Parts {
			if call := messages[i].Parts[j].Call; call != nil {
				list = append(list, call.Name)
			}
		}
	}
	return list
}

// NameRule is what names a target takes, and how others become such.
type NameRule struct {
	IsLegal func(name string) bool
	// Legal makes a name that the target takes; Other another one, where sent is taken already. The salt differs
	// from try to try: it begins as the name, and Salt is added each time.
	Legal func(name string) string
	Other func(name, sent, salt string) string
	Salt  string
}

// Names are names of tools as a target takes them, one to one. The zero value changes nothing.
type Names struct {
	sent   map[string]string // by the client's name
	client map[string]string // by the name sent; both hold only names that differ
}

// NewNames chooses the names to send. Legal ones stay, so they come first.
func NewNames(all []string, rule NameRule) Names {
	var n Names
	if !slices.ContainsFunc(all, func(name string) bool { return !rule.IsLegal(name) }) {
		return n
	}
	n.sent, n.client = make(map[string]string), make(map[string]string)
	used := make(map[string]bool, len(all))
	for _, name := range all {
		if rule.IsLegal(name) {
			used[name] = true
		}
	}
	for _, name := range all {
		if n.sent[name] != "" || rule.IsLegal(name) {
			continue
		}
		sent := rule.Legal(name)
		for salt := name; used[sent]; salt += rule.Salt {
			sent = rule.Other(name, sent, salt)
		}
		used[sent] = true
		n.sent[name], n.client[sent] = sent, name
	}
	return n
}

// Sent is the name to send for the client's.
func (n *Names) Sent(name string) string {
	if sent, ok := n.sent[name]; ok {
		return sent
	}
	return name
}

// Client maps the names sent to the client's, where they differ; nil if none does.
func (n *Names) Client() map[string]string { return n.client }

// Changed reports whether a name differs.
func (n *Names) Changed() bool { return len(n.client) > 0 }
