package gateway

import (
	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// admit finds out who is calling and whether they may. It runs before the body
// is read: a refused caller costs no memory.
func (c *call) admit() *llm.Error {
	var inQuery []string
	if name := c.dialect.KeyQuery; name != "" && c.r.URL.RawQuery != "" {
		inQuery = c.r.URL.Query()[name]
	}
	caller, err := access.Check(c.r.Header, inQuery...)
	if err != nil {
		return err
	}
	c.caller = caller
	return nil
}
