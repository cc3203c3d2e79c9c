package gemini

import (
	"strconv"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
)

// callPrefix begins the ids that this gateway makes for calls; idSize is how much follows. Some APIs take no more than
// 40 characters.
const (
	callPrefix = "call_"
	idSize     = 22
)

// calls pairs the tool calls of a request with their results. The vendor takes any id; ids that repeat, which some
// servers make, are told apart. A result answers the earliest call with its id that has no result yet.
type calls struct {
	sent  dialect.Unused
	count int
	open  dialect.Waiting[sentCall] // by the client's id
}

type sentCall struct {
	id, sent, name string
	order          int // its place among all calls
}

// begin returns the id to send for a call.
func (c *calls) begin(id, name string) string {
	made := func(n int) string { return callPrefix + forms.Hashed(id+"/"+strconv.Itoa(c.count+n), idSize) }
	sent := id
	if id == "" || c.sent.Has(id) {
		sent = made(0)
	}
	sent = c.sent.Take(sent, true, func(n int) string { return made(n + 1) })
	c.count++
	c.open.Add(sentCall{id, sent, name, c.count}, id)
	return sent
}

// answer returns the call that a result answers.
func (c *calls) answer(id string) (call sentCall, ok bool) { return c.open.Take(id) }

// maxName is the length of the longest name that both of the vendor's services take.
const maxName = 64

// isName reports whether a function can have this name. The Gemini API takes more in a declaration than in a call,
// and Vertex AI wants a letter or _ first.
func isName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '-' || '0' <= s[0] && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
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
		if !isNameByte(c) {
			b[i] = '_'
		}
	}
	legal := string(b)
	if !isName(legal[:min(len(legal), 1)]) {
		legal = "_" + legal
	}
	if len(legal) > maxName {
		return cutName(legal, maxName-9) + "_" + forms.Hashed(name, 8)
	}
	return legal
}

func cutName(s string, n int) string { return s[:min(len(s), n)] }
