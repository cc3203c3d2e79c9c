package openairesponses

import (
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// toolNames maps the client's tool names to ones that the dialect takes, one to one. The zero value changes nothing.
type toolNames struct {
	forward map[string]string // only the names that had to change
	taken   map[string]string // sent → the client's
}

// learnNames decides the names of all functions and of all their calls in history.
func (e *requestEncoder) learnNames(messages []llm.Message) error {
	n, tools := &e.names, e.req.Tools
	n.taken = make(map[string]string, len(tools))
	var odd []string
	see := func(name string) {
		switch {
		case isLegalName(name):
			n.taken[name] = name
		case !e.isCustomTool(name):
			odd = append(odd, name)
		}
	}
	for i := range tools {
		if tools[i].Opaque == nil {
			see(tools[i].Name)
		}
	}
	for i := range messages {
		for j := range messages[i].Parts {
			if call := messages[i].Parts[j].Call; call != nil {
				see(call.Name)
			}
		}
	}
	for _, name := range odd {
		if _, done := n.forward[name]; done {
			continue
		}
		if name == "" {
			return llm.Invalid("tools", "A tool has no name.")
		}
		if n.forward == nil {
			n.forward = make(map[string]string)
		}
		sent := legalName(name)
		for salt := name; n.taken[sent] != ""; salt += "'" {
			sent = hashedName(name, salt)
		}
		n.forward[name], n.taken[sent] = sent, name
	}
	return nil
}

// sent is the name to send for the client's.
func (n *toolNames) sent(name string) string {
	if sent, ok := n.forward[name]; ok {
		return sent
	}
	return name
}

func (n *toolNames) renamed() bool { return len(n.forward) > 0 }

// back maps the names sent to the client's, where they differ.
func (n *toolNames) back() map[string]string {
	if !n.renamed() {
		return nil
	}
	m := make(map[string]string, len(n.forward))
	for name, sent := range n.forward {
		m[sent] = name
	}
	return m
}

func isLegalName(s string) bool {
	return s != "" && len(s) <= maxNameLength && strings.IndexFunc(s, isIllegalInName) < 0
}

func isIllegalInName(r rune) bool {
	return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// legalName replaces what a name may not have; a longer name is cut and told apart by a digest.
func legalName(s string) string {
	if isLegalName(s) {
		return s
	}
	clean := cleanName(s)
	if len(clean) > maxNameLength {
		return hashedName(s, s)
	}
	return clean
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
func hashedName(s, salt string) string {
	const size = 8
	clean := cleanName(s)
	return clean[:min(len(clean), maxNameLength-size-1)] + "_" + digest(salt, size)
}

// callIDs maps ids of calls to ones that the dialect takes. The zero value is ready.
type callIDs struct {
	forward map[string]string
	taken   map[string]string
	changed bool
}

// sent is the id to send for the client's: itself where it fits.
func (c *callIDs) sent(id string) string {
	if id != "" && len(id) <= maxIDLength {
		return id
	}
	if sent, ok := c.forward[id]; ok {
		return sent
	}
	if c.forward == nil {
		c.forward, c.taken = map[string]string{}, map[string]string{}
	}
	sent := "call_" + digest(id, 24)
	for salt := id + "'"; c.taken[sent] != ""; salt += "'" {
		sent = "call_" + digest(salt, 24)
	}
	c.forward[id], c.taken[sent], c.changed = sent, id, true
	return sent
}
