package gateway

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// listModels answers the model lists from what is configured, in the client's
// form: what the caller may ask for. No provider is asked.
func (c *call) listModels() *llm.Error {
	entries := (*c.g.routes.Load()).Entries()
	if c.operation == dialect.ListModels {
		if c.grant != nil {
			entries = slices.DeleteFunc(slices.Clone(entries), func(e dialect.ModelEntry) bool { return !c.mayList(e.ID) })
		}
		c.reply.send(c.dialect.Models.EncodeModels(entries))
		return nil
	}
	if !c.endpoint.pattern.hasModel { // the body names it
		if err := c.read(); err != nil {
			return err
		}
		c.path.model = c.peeked.Model
	}
	for _, e := range entries {
		if e.ID == c.path.model && c.mayList(e.ID) {
			c.reply.send(c.dialect.Models.EncodeModel(e))
			return nil
		}
	}
	return modelNotFound(c.path.model)
}
