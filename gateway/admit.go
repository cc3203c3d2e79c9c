package gateway

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// admit finds out who is calling and whether they may. It runs before the body
// is read: a refused caller costs no memory.
func (c *call) admit() *llm.Error {
	grant, err := c.checkKey()
	if err != nil {
		return err
	}
	c.grant = grant
	if grant == nil {
		c.caller = access.Caller{Name: access.Anonymous}
		return nil
	}
	c.caller = grant.Caller
	return nil
}

func (c *call) checkKey() (*access.Grant, *llm.Error) {
	var inQuery []string
	if name := c.dialect.KeyQuery; name != "" && c.r.URL.RawQuery != "" {
		inQuery = c.r.URL.Query()[name]
	}
	return c.g.opts.Access.Check(c.r.Header, c.r.RemoteAddr, inQuery...)
}

// isStillTaken finds whether the key of a call that lasts is revoked, disabled or over.
func (c *call) isStillTaken() *llm.Error {
	if _, err := c.checkKey(); err != nil && err.Code == llm.CodeAuthentication {
		return err
	}
	return nil
}

// permit narrows a route to what the caller may use, or refuses it.
func (c *call) permit(r *route.Route) *llm.Error {
	if c.grant == nil {
		return nil
	}
	if !c.mayAskFor(r) {
		return forbidden(c.peeked.Model)
	}
	if other := c.mayNotFallBackTo(r); other != "" {
		return forbidden(other)
	}
	if slices.ContainsFunc(r.Targets, c.mayNotUse) { // the route's own are shared
		r.Targets = slices.DeleteFunc(slices.Clone(r.Targets), c.mayNotUse)
	}
	if len(r.Targets) == 0 {
		return &llm.Error{
			Code: llm.CodePermission, Origin: llm.OriginClient, Param: "model",
			Message: "The key may use none of the providers and regions that serve the model.",
		}
	}
	return nil
}

// mayAskFor reports whether the caller may ask for a route by the name that it was asked for, or
// by that of its one target, where it has no name of its own. What names no model could run any,
// and is for those who may ask for all; a batch names models where nobody looks.
func (c *call) mayAskFor(r *route.Route) bool {
	name := c.peeked.Model
	switch c.operation {
	case dialect.Batches:
		if c.r.Method == http.MethodPost && c.path.object == "" {
			return c.grant.MayAskAll()
		}
		return true
	case dialect.Files, dialect.Stored:
		if name == "" { // no model is run
			return true
		}
	default:
	}
	if name == "" {
		return c.grant.MayAskAll()
	}
	return c.mayName(r, name)
}

// mayName reports whether the caller may ask for a route by a name.
func (c *call) mayName(r *route.Route, name string) bool {
	return c.grant.MayAsk(name) || r.IsDirect && c.grant.MayAsk(r.Targets[0].Name())
}

// mayNotFallBackTo is the first of the other models that a body lists to be answered by, for vendors that fall back among
// their models by themselves, that the caller may not ask for; "" if there is none.
func (c *call) mayNotFallBackTo(r *route.Route) (forbidden string) {
	if c.grant.MayAskAll() {
		return ""
	}
	may := func(name string) bool {
		return c.grant.MayAsk(name) || slices.ContainsFunc(r.Targets, func(t route.Target) bool {
			return t.Model == name || c.grant.MayAsk(t.Provider.ID+"/"+name)
		})
	}
	look := func(v jsontext.Value) {
		if v.Kind() == jsontext.Object {
			v = v.Get("model")
		}
		if name, err := v.Text(); err == nil && forbidden == "" && !may(name) {
			forbidden = name
		}
	}
	_ = jsontext.Value(c.body).Members(func(name []byte, v jsontext.Value) error { // a form has none
		switch string(name) {
		case "models", "fallbacks":
			if v.Kind() != jsontext.Array {
				look(v)
				return nil
			}
			return v.Array(func(_ int, v jsontext.Value) error { look(v); return nil })
		}
		return nil
	})
	return forbidden
}

// mayList reports whether the caller may ask for a model of the list.
func (c *call) mayList(name string) bool {
	if c.grant == nil {
		return true
	}
	r, ok := (*c.g.routes.Load()).Pick(name)
	return ok && c.mayName(&r, name) && slices.ContainsFunc(r.Targets, c.mayUse)
}

func (c *call) mayUse(t route.Target) bool {
	return c.grant.MayUse(t.Provider.ID, t.Provider.Facts.Region)
}

func (c *call) mayNotUse(t route.Target) bool { return !c.mayUse(t) }

func forbidden(model string) *llm.Error {
	if model == "" {
		return &llm.Error{
			Code: llm.CodePermission, Origin: llm.OriginClient,
			Message: "The key may ask for some models only, and the request does not say for which it asks.",
		}
	}
	return &llm.Error{
		Code: llm.CodePermission, Origin: llm.OriginClient, Param: "model",
		Message: "The key may not ask for the model " + strconv.QuoteToASCII(shortName(model)) + ". The model list of this API shows what it may ask for.",
	}
}
