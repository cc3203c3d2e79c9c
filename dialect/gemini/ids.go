package gemini

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/understudy-ai/understudy/dialect"
)

// callPrefix begins the ids that this gateway makes for calls; idSize is how much follows. Some APIs take no more than
// 40 characters.
const (
	callPrefix = "call_"
	idSize     = 22
)

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
	made := func(n int) string { return callPrefix + hashed(id+"/"+strconv.Itoa(c.count+n), idSize) }
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

// names gives functions legal names, one to one.
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
		if !isNameByte(c) {
			b[i] = '_'
		}
	}
	legal := string(b)
	if !isName(legal[:min(len(legal), 1)]) {
		legal = "_" + legal
	}
	if len(legal) > maxName {
		return cutName(legal, maxName-9) + "_" + hashed(name, 8)
	}
	return legal
}

func cutName(s string, n int) string { return s[:min(len(s), n)] }
