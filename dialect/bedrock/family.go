package bedrock

import "strings"

// family is a kind of models that are told something in a way of their own.
type family uint8

// The families.
const (
	unknown family = iota // the name does not tell
	claude
	nova
	command
	gptOSS
	mistral
	qwen
	other
)

// families are how models are named. It is never changed.
var families = [...]struct {
	prefix string
	family family
}{
	{"anthropic.", claude},
	{"amazon.", nova},
	{"cohere.", command},
	{"openai.", gptOSS},
	{"mistral.", mistral},
	{"qwen.", qwen},
}

// familyOf reads the family in a model's name, which is maker.model, with a region before it in the name of an inference
// profile, and either in an ARN. The ARN of an application's own profile does not tell.
func familyOf(model string) family {
	name := model[strings.LastIndexByte(model, '/')+1:]
	if region, rest, ok := strings.Cut(name, "."); ok && isRegion(region) {
		name = rest
	}
	for _, f := range families {
		if strings.HasPrefix(name, f.prefix) {
			return f.family
		}
	}
	if strings.Contains(name, ".") {
		return other
	}
	return unknown
}

func isRegion(s string) bool {
	switch s {
	case "us", "eu", "apac", "global", "us-gov", "jp", "au", "ca", "sa", "me":
		return true
	}
	return false
}

// isClaude reports whether the rules of Claude models hold. A model that nothing is known of is taken for one: of the
// families that have such rules it is the one that most are asked for.
func (e *encoder) isClaude() bool { return e.family == claude || e.family == unknown }
