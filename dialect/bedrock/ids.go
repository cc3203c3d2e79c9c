package bedrock

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
)

// callPrefix begins the ids of tool calls that the vendor makes.
const callPrefix = "tooluse_"

// hashed is a short text of letters and digits that stands for s: size characters, at most 22.
func hashed(s string, size int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(s))
	out := make([]byte, 0, 22)
	for word := 0; len(out) < size; word++ {
		n := binary.BigEndian.Uint64(sum[8*word:])
		for i := 0; i < 10 && len(out) < size; i++ {
			out = append(out, digits[n%62])
			n /= 62
		}
	}
	return string(out)
}

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
	sent := c.sent.Take(id, id != "" && isID(id), func(n int) string { return callPrefix + hashed(id+"/"+strconv.Itoa(n), 22) })
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
		shown = callPrefix + hashed(id, 22)
	}
	return s.shown.Take(shown, true, func(n int) string { return callPrefix + hashed(id+"/"+strconv.Itoa(n+1), 22) })
}

// names gives tools legal names.
type names struct {
	sent   map[string]string // by the client's name
	client map[string]string // by the name sent; only those that differ
}

// newNames chooses the names to send for a request's names. Legal ones keep theirs, so they come first.
func newNames(all []string) names {
	n := names{sent: make(map[string]string, len(all))}
	used := make(map[string]bool, len(all))
	for _, name := range all {
		if isName(name) {
			n.sent[name] = name
			used[name] = true
		}
	}
	for _, name := range all {
		if n.sent[name] != "" {
			continue
		}
		sent := legalName(name)
		for try := name; used[sent]; try += "/" {
			sent = cutName(sent, maxName-9) + "_" + hashed(try, 8)
		}
		used[sent] = true
		n.sent[name] = sent
		if n.client == nil {
			n.client = make(map[string]string)
		}
		n.client[sent] = name
	}
	return n
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
		return cutName(string(b), maxName-9) + "_" + hashed(name, 8)
	}
	return string(b)
}

func cutName(s string, n int) string { return s[:min(len(s), n)] }
