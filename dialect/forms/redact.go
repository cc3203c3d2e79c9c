package forms

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// ShownMessage is a vendor's message where the client can do something about it, and our own words otherwise.
func ShownMessage(code llm.Code, message string) string {
	switch code {
	case llm.CodeInvalidRequest, llm.CodeContextLength, llm.CodeContentPolicy, llm.CodeTooLarge:
		if message = Redact(Clip(message, maxMessage)); message != "" && !looksLikeMarkup(message) {
			return message
		}
	default:
	}
	return code.Info().Doc
}

func looksLikeMarkup(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "<html") || strings.Contains(s, "<!doctype") || strings.Contains(s, "<body")
}

// Redact replaces the words of a message that look like a credential, and those that also says must not be shown: what a
// vendor tells of the gateway's own key or account is not for its clients.
func Redact(s string, also ...func(word string) bool) string {
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return !isInWord(r) })
		if n < 0 {
			n = len(s)
		}
		b.WriteString(redacted(s[:n], also))
		s = s[n:]
		if n = strings.IndexFunc(s, isInWord); n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	return b.String()
}

func isInWord(r rune) bool {
	return r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.*+=/", r)
}

// redacted is a word without the credentials in it, and itself if it is one. What stands between slashes is looked at by
// itself: names of models and addresses have them, too.
func redacted(word string, also []func(string) bool) string {
	const instead = "[redacted]"
	if isAccessKey(word) {
		return instead
	}
	parts := strings.Split(word, "/")
	for i, p := range parts {
		if IsSecret(p) || slices.ContainsFunc(also, func(f func(string) bool) bool { return f(p) }) {
			parts[i] = instead
		}
	}
	return strings.Join(parts, "/")
}

// isAccessKey reports whether a word has the form of an AWS secret access key: 40 characters of base64, slashes among them.
func isAccessKey(word string) bool {
	const size = 40
	const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return len(word) == size && strings.Trim(word, base64) == "" && strings.ContainsAny(word, "0123456789") &&
		strings.ToLower(word) != word && strings.ToUpper(word) != word
}

// IsSecret reports whether a word looks like a credential: a known beginning, or a long mixture of letters and digits
// that is no id and no name of a model.
func IsSecret(word string) bool {
	if len(word) < 8 {
		return false
	}
	if hasPrefix(word, "sk-", "sk_", "pk-", "rk-", "sess-", "gsk_", "xai-", "xox", "AIza", "AQ.", "ya29.", "AKIA", "ASIA", "ABSK", "eyJ",
		"ghp_", "hf_", "nvapi-", "pplx-", "csk-", "fw_", "r8_") || len(word) >= 20 && hasPrefix(word, "key-") {
		return true
	}
	if hasPrefix(word, "call_", "rs_", "fc_", "ctc_", "toolu_", "chatcmpl-", "req_", "resp_", "msg_", "http") || strings.Contains(word, "...") {
		return false
	}
	var digits, lower, upper, run, longest int
	for i := range len(word) {
		run++
		switch c := word[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		default: // names are of short words
			run = 0
		}
		longest = max(longest, run)
	}
	isMixed := len(word) >= 24 && digits >= 4 && lower+upper >= 4 || len(word) >= 32 && digits > 0 && lower > 0 && upper > 0
	return isMixed && longest >= 16
}

func hasPrefix(word string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(word, p) {
			return true
		}
	}
	return false
}
