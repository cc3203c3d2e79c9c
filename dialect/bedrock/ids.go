package bedrock

import (
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
)

// callPrefix begins the ids of tool calls that the vendor makes.
const callPrefix = "tooluse_"

// isWord reports whether s has 1 to limit characters out of letters, digits, _ and -, and more: the rule for the
// ids of tool calls and for the names of tools [bed:ToolUseId, bed:ToolName].
func isWord(s string, limit int, more string) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if !isWordByte(s[i]) && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isID(s string) bool { return isWord(s, maxID, ".:") }

func isName(s string) bool { return isWord(s, maxName, "") }

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// The limits of ids and names [bed:ToolUseId, bed:ToolName].
const (
	maxID   = 64
	maxName = 64
)

// calls gives the tool calls of a request legal ids and pairs them with their results. A result answers the
// earliest call with its id that has no result yet.
type calls struct {
	sent dialect.Unused
	open dialect.Waiting[openCall] // by the client's id
}

type openCall struct{ id, sent, name string }

// begin returns the id to send for a call: the client's own where it is legal and not taken.
func (c *calls) begin(id, name string) string {
	sent := c.sent.Take(id, id != "" && isID(id), func(n int) string { return callPrefix + forms.Hashed(id+"/"+strconv.Itoa(n), 22) })
	c.open.Add(openCall{id: id, sent: sent, name: name}, id)
	return sent
}

// answer returns the id sent for the call that a result answers.
func (c *calls) answer(id string) (sent string, ok bool) {
	call, ok := c.open.Take(id)
	return call.sent, ok
}

// shownIDs gives the tool calls of one answer ids that are legal for clients of the dialect. Two different ids never
// become one.
type shownIDs struct{ shown dialect.Unused }

func (s *shownIDs) show(id string) string {
	shown := id
	if !isID(id) {
		shown = callPrefix + forms.Hashed(id, 22)
	}
	return s.shown.Take(shown, true, func(n int) string { return callPrefix + forms.Hashed(id+"/"+strconv.Itoa(n+1), 22) })
}

// newNames chooses the names to send for a request's names.
func newNames(all []string) forms.Names {
	return forms.NewNames(all, forms.NameRule{
		IsLegal: isName,
		Legal:   legalName,
		Other:   func(_, sent, salt string) string { return cutName(sent, maxName-9) + "_" + forms.Hashed(salt, 8) },
		Salt:    "/",
	})
}

// legalName replaces what a name may not hold and cuts it; a cut name ends in a hash of the whole.
func legalName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !isWordByte(c) {
			b[i] = '_'
		}
	}
	switch {
	case len(b) == 0:
		return "_"
	case len(b) > maxName:
		return cutName(string(b), maxName-9) + "_" + forms.Hashed(name, 8)
	}
	return string(b)
}

func cutName(s string, n int) string { return s[:min(len(s), n)] }
