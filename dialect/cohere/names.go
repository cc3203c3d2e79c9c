package cohere

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// newNames chooses the names to send for a request's names.
func newNames(all []string) (forms.Names, error) {
	if slices.Contains(all, "") {
		return forms.Names{}, llm.Invalid("tools", "A tool has no name.")
	}
	return forms.NewNames(all, forms.NameRule{
		IsLegal: isLegalName,
		Legal:   legalName,
		Other:   func(_, sent, salt string) string { return cutName(sent) + "_" + digest(salt, 8) },
		Salt:    "'",
	}), nil
}

// isLegalName reports whether a name is of letters, digits and _, and begins with no digit.
func isLegalName(s string) bool {
	return s != "" && len(s) <= maxNameLength && (s[0] < '0' || s[0] > '9') && strings.IndexFunc(s, isIllegalInName) < 0
}

func isIllegalInName(r rune) bool {
	return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && r != '_'
}

// legalName replaces what a name may not have; a longer name is cut and told apart by a digest.
func legalName(s string) string {
	clean := strings.Map(func(r rune) rune {
		if isIllegalInName(r) {
			return '_'
		}
		return r
	}, s)
	if clean[0] >= '0' && clean[0] <= '9' {
		clean = "_" + clean
	}
	if len(clean) > maxNameLength {
		clean = cutName(clean) + "_" + digest(s, 8)
	}
	return clean
}

func cutName(s string) string { return s[:min(len(s), maxNameLength-9)] }

// callIDs gives the calls of a request ids of their own and pairs them with their results. A result answers the
// earliest call with its id that has no result yet.
type callIDs struct {
	sent    dialect.Unused
	open    dialect.Waiting[[2]string] // the client's id, by which it is found, and the one sent
	changed bool
}

// begin returns the id to send for a call: the client's own where it is not taken.
func (c *callIDs) begin(id string) string {
	sent := c.sent.Take(id, id != "", func(n int) string { return "call_" + digest(id+"/"+strconv.Itoa(n), 16) })
	c.changed = c.changed || sent != id
	c.open.Add([2]string{id, sent}, id)
	return sent
}

// answer returns the id sent for the call that a result answers.
func (c *callIDs) answer(id string) (sent string, ok bool) {
	call, ok := c.open.Take(id)
	return call[1], ok
}

// orphan is the error for a call that is not followed by its result, or nil.
func (c *callIDs) orphan() error {
	if c.open.Len() == 0 {
		return nil
	}
	return llm.Invalid("messages", "The message with tool call '%s' is not followed by its result.", forms.Clip(c.open.First()[0], 128))
}

// writeCall writes one of tool_calls.
func writeCall(w *jsontext.Writer, id, name, args string) {
	w.BeginObject()
	w.StringField("id", id)
	w.StringField("type", typeFunction)
	w.Key(typeFunction)
	w.BeginObject()
	w.StringField("name", name)
	w.StringField("arguments", args)
	w.EndObject()
	w.EndObject()
}
