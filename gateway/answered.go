package gateway

import (
	"net/http"
	"strings"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// HeaderAnswered names the model that answered, where it is another than the one that was asked.
const HeaderAnswered = "X-Understudy-Answered"

// checkAnswered looks at which model a vendor says that it answered with, before the client has any of
// it. Another than was asked is told to the client, or, if the route is strict, counts as a failure.
func (c *call) checkAnswered(a *attempt) *llm.Error {
	if !a.isOther() {
		return nil
	}
	if c.route.Identity == route.IdentityStrict {
		return &llm.Error{
			Code: llm.CodeOtherModel, Origin: llm.OriginProvider, Status: a.status,
			Message: "The provider answered with another model than it was asked for.",
		}
	}
	c.reply.mu.Lock()
	defer c.reply.mu.Unlock()
	prefix := ""
	if c.reply.begun {
		prefix = http.TrailerPrefix
	}
	if isModelName(a.model) {
		c.reply.w.Header().Set(prefix+HeaderAnswered, a.model)
	}
	return nil
}

// isOther reports whether the vendor named another model than the one it was asked for.
func (a *attempt) isOther() bool {
	if a.model == "" || a.target.Model == "" {
		return false
	}
	if a.compared != a.model { // it is asked several times
		a.compared, a.other = a.model, !isSameModel(a.target.Provider, a.target.Model, a.model)
	}
	return a.other
}

// isSameModel reports whether two names mean one model: but for the case, what stands before them
// ("models/"), and what tells apart its versions and the ways it is served ("-2025-04-14", "-latest", ":free").
// What the provider's facts say that a model is, counts like its name.
func isSameModel(p *provider.Provider, asked, answered string) bool {
	if asked == answered || bareModel(asked) == bareModel(answered) {
		return true
	}
	is, _ := p.Model(asked)
	other, _ := p.Model(answered)
	return is.SameAs != "" && (bareModel(is.SameAs) == bareModel(answered) || strings.EqualFold(is.SameAs, other.SameAs))
}

// bareModel is a model's name without what tells apart its versions.
func bareModel(name string) string {
	name = strings.ToLower(name)
	name = name[strings.LastIndexByte(name, '/')+1:]
	if i := strings.IndexAny(name, "@:"); i > 0 {
		name = name[:i]
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 && i+1 < len(name) && 'a' <= name[i+1] && name[i+1] <= 'z' {
		name = name[i+1:] // as clouds have the vendor before it
	}
	for {
		i := strings.LastIndexByte(name, '-')
		if i <= 0 || !isVersion(name[i+1:]) {
			return name
		}
		name = name[:i]
	}
}

// isVersion reports whether a part of a model's name only says which edition it is: a date or a number of
// at least two digits, or the latest.
func isVersion(part string) bool {
	if part == "latest" || len(part) == 2 && part[0] == 'v' && part[1] <= '9' {
		return true
	}
	for _, r := range part {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(part) >= 2
}
