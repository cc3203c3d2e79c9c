package gateway

import "strings"

// pattern is an endpoint's path: texts, with a hole between each two. The hole of the
// model takes everything up to the text after it, slashes included, since models are
// named provider/model; any other hole takes what has no slash.
type pattern struct {
	texts    []string
	holes    []string
	hasModel bool
}

// The holes that mean something; any other is only a hole.
const (
	modelHole  = "model"
	objectHole = "id"
)

// named is what a path names.
type named struct{ model, object string }

func compile(path string) pattern {
	var p pattern
	for {
		before, rest, open := strings.Cut(path, "{")
		p.texts = append(p.texts, before)
		if !open {
			return p
		}
		hole, after, _ := strings.Cut(rest, "}")
		p.holes = append(p.holes, hole)
		p.hasModel = p.hasModel || hole == modelHole
		path = after
	}
}

// match reports whether the pattern fits a path, and what the path names.
func (p *pattern) match(path string) (n named, ok bool) {
	rest, ok := strings.CutPrefix(path, p.texts[0])
	if !ok {
		return n, false
	}
	for i, hole := range p.holes {
		text := p.texts[i+1]
		var end int
		switch {
		case i == len(p.holes)-1:
			end = len(rest) - len(text) // the last text stands at the path's end
			if end < 0 || rest[end:] != text {
				return n, false
			}
		case text != "":
			end = strings.Index(rest, text)
		}
		if end <= 0 || hole != modelHole && strings.Contains(rest[:end], "/") {
			return n, false
		}
		if value := rest[:end]; value == "." || value == ".." || strings.ContainsFunc(value, isNoName) {
			return n, false // a step to somewhere else, with the provider's key in hand
		}
		switch hole {
		case modelHole:
			n.model = rest[:end]
		case objectHole:
			n.object = rest[:end]
		}
		rest = rest[end+len(text):]
	}
	return n, rest == ""
}

// isNoName reports whether a character can stand in no name. Some servers take a backslash for
// a slash.
func isNoName(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
