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
// it. Another than was asked counts as a failure if the route is strict; otherwise the client is told.
func (c *call) checkAnswered(a *attempt) *llm.Error {
	if !a.other || c.route.Identity != route.IdentityStrict {
		return nil
	}
	return &llm.Error{
		Code: llm.CodeOtherModel, Origin: llm.OriginProvider, Status: a.status,
		Message: "The provider answered with another model than it was asked for.",
	}
}

// tellAnswered says in the answer's header, or in its trailer, that another model answered. A vendor may name one when
// the client has some of the answer: what was begun goes on, the price is that of the model named last, and the client is
// told behind its end.
func (c *call) tellAnswered(a *attempt) {
	if !a.committed || !a.other || a.told == a.model {
		return
	}
	c.reply.mu.Lock()
	defer c.reply.mu.Unlock()
	prefix := ""
	if c.reply.begun {
		prefix = http.TrailerPrefix
	}
	if isModelName(a.model) {
		c.reply.w.Header().Set(prefix+HeaderAnswered, a.model)
		a.told = a.model
	}
}

// named takes up which model the vendor says that answers, which it may say again and again. Of what is too long for a
// model's name that much is kept: it is logged, and its line in the ledger is remembered.
func (a *attempt) named(model string) {
	if len(model) > maxModelName {
		model = strings.Clone(model[:maxModelName+1])
	}
	if model == "" || model == a.model {
		return
	}
	a.model = model
	if !a.other && a.target.Model != "" {
		a.other = !isSameModel(a.target.Provider, a.target.Model, model)
	}
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
