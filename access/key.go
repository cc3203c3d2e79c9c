package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Spec is what an operator says of a key.
type Spec struct {
	Name         string    `json:"name,omitempty" doc:"What logs and the ledger call it: 1 to 64 printable ASCII characters; its id if not given."`
	User         string    `json:"user,omitempty" doc:"Who it belongs to."`
	Team         string    `json:"team,omitempty" doc:"Their team. Where the config declares teams, one of them."`
	Organisation string    `json:"organisation,omitempty" doc:"Their organisation; the team's, where the config declares it."`
	Models       []string  `json:"models,omitempty" doc:"The models it may ask for, as clients name them; one that ends in * stands for all that begin so, and * for all."`
	Providers    []string  `json:"providers,omitempty" doc:"The providers it may be served by; any if none is given."`
	Regions      []string  `json:"regions,omitempty" doc:"The regions it may be served in; any if none is given."`
	Tags         []string  `json:"tags,omitempty" doc:"Words of your choice: what its calls are for, in the ledger, where they do not say so themselves."`
	Limits       Limits    `json:"limits,omitzero" doc:"How much it may have at once and in a minute."`
	Expires      time.Time `json:"expires,omitzero" doc:"When it ends; never if not given."`
	Disabled     bool      `json:"disabled,omitempty" doc:"Whether it is refused for the time being."`
}

// Key is a virtual key as it is kept: what a client shows is not in it.
type Key struct {
	ID string `json:"id"`
	Spec
	Ending   string    `json:"ending,omitempty" doc:"Its last four characters."`
	Created  time.Time `json:"created,omitzero"`
	Changed  time.Time `json:"changed,omitzero" doc:"When it was last changed."`
	Revoked  time.Time `json:"revoked,omitzero" doc:"When it was revoked, for good."`
	Rotation string    `json:"rotation,omitempty" doc:"The id of its last rotation."`
	OldUntil time.Time `json:"old_until,omitzero" doc:"Until when what it was before its last rotation is taken, too."`
	// Rotations are there so that a request which comes late does not rotate it again.
	Rotations []string `json:"rotations,omitempty" doc:"The ids of the rotations before its last, the latest first; 16 at most."`
	Declared  bool     `json:"declared,omitempty" doc:"Whether it stands in the config file, and can only be changed there."`
	// Revision counts its changes.
	Revision int64 `json:"revision" doc:"How often it was written."`

	hash, old Hash
	older     []former // what it was before that, as long as it is taken; the latest first
	role      Role     // of an administrator, whose token this is; empty for a client's key
}

// Hash is what is kept of a key's text: its HMAC under the installation's secret.
type Hash [sha256.Size]byte

// Format keeps hashes out of logs.
func (Hash) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[hash]") }

// Secret is what an installation hashes keys with. Gateways that share keys share it.
type Secret struct{ text []byte }

// Format keeps secrets out of logs.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[redacted]") }

// minSecret is how short a secret may be.
const minSecret = 32

// ParseSecret reads a secret that was chosen, or that Text wrote.
func ParseSecret(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	if len(text) < minSecret {
		return Secret{}, fmt.Errorf("got a secret of %d characters, want %d or more, such as openssl rand -hex 32 makes", len(text), minSecret)
	}
	return Secret{[]byte(text)}, nil
}

// NewSecret makes a secret of 256 random bits.
func NewSecret() Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return Secret{[]byte(hex.EncodeToString(b))}
}

// Text is the secret, for where it is kept.
func (s Secret) Text() string { return string(s.text) }

// Sum hashes what a client shows.
func (s Secret) Sum(shown string) Hash {
	mac := hmac.New(sha256.New, s.text)
	_, _ = io.WriteString(mac, shown) // never fails
	return Hash(mac.Sum(nil))
}

// keyPrefix tells people, scanners of leaked secrets and the gateway what a text is.
const keyPrefix = "us-"

// newText makes what is shown: 256 random bits and a little more.
func newText(prefix string) string {
	return prefix + strings.ToLower(rand.Text()+rand.Text()) // 130 bits each
}

// endingOf is by what people tell keys apart.
func endingOf(text string) string { return text[len(text)-4:] }

// minDeclared is how short a key may be that a user has made: longer than what can be guessed.
const minDeclared = 32

// CheckText finds what is wrong with a key that a user has made, and does not quote it.
func CheckText(text string) error {
	if len(text) < minDeclared || len(text) > maxCredential || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("got %d characters, want %d or more, printable and without spaces, such as us-$(openssl rand -hex 32) makes", len(text), minDeclared)
	}
	if text == strings.Repeat(text[:1], len(text)) {
		return errors.New("got one character again and again, want what nobody can guess")
	}
	return nil
}

const (
	maxName = 64
	maxWord = 321
)

// The lengths are apart: {0,320} would be as many copies, to be made at each start.
var (
	idForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	nameForm = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)
	wordForm = regexp.MustCompile(`^[!-~]+$`)
)

func fits(text string, form *regexp.Regexp, most int) bool {
	return len(text) <= most && form.MatchString(text)
}

// maxList bounds the lists of a key.
const maxList = 256

// CheckID finds what is wrong with an id.
func CheckID(id string) error {
	if !fits(id, idForm, maxName) {
		return llm.Invalid("id", "An id must be up to 64 letters, digits, dots, dashes or underscores, and begin with a letter or a digit.")
	}
	return nil
}

// Check finds what is wrong with a spec; the error is an *llm.Error that names the field.
func (s *Spec) Check() error {
	for _, name := range []struct{ param, text string }{{"name", s.Name}, {"user", s.User}, {"team", s.Team}, {"organisation", s.Organisation}} {
		if name.text != "" && !fits(name.text, nameForm, maxName) {
			return llm.Invalid(name.param, "The field %s must be up to 64 printable ASCII characters, and neither begin nor end with a space.", name.param)
		}
	}
	if len(s.Models) == 0 {
		return llm.Invalid("models", "A key must say which models it may ask for: their names, such as assistant or openai/*, or * for all.")
	}
	return checkLists(s.Models, s.Providers, s.Regions, s.Tags, s.Limits)
}

func checkLists(models, providers, regions, tags []string, limits Limits) error {
	for _, list := range []struct {
		param string
		words []string
	}{{"models", models}, {"providers", providers}, {"regions", regions}, {"tags", tags}} {
		if len(list.words) > maxList {
			return llm.Invalid(list.param, "The field %s must have up to %d words.", list.param, maxList)
		}
		for _, w := range list.words {
			star := strings.IndexByte(w, '*')
			if !fits(w, wordForm, maxWord) || star >= 0 && (list.param == "tags" || star != len(w)-1) {
				return llm.Invalid(list.param, "The field %s must have words of printable ASCII characters, with a * at the end of one at most where it stands for several.", list.param)
			}
		}
	}
	if limits.RequestsPerMinute < 0 || limits.TokensPerMinute < 0 || limits.Concurrent < 0 {
		return llm.Invalid("limits", "A limit must not be below 0; 0 is none.")
	}
	return nil
}

// Team is what the config says of a team: what none of its keys may go beyond.
type Team struct {
	Organisation               string
	Models, Providers, Regions []string // any if there are none
	Disabled                   bool
}

// Check finds what is wrong with a team.
func (t *Team) Check() error {
	if t.Organisation != "" && !fits(t.Organisation, nameForm, maxName) {
		return llm.Invalid("organisation", "The field organisation must be up to 64 printable ASCII characters.")
	}
	return checkLists(t.Models, t.Providers, t.Regions, nil, Limits{})
}

// Grant is what a caller may do. A nil one may do everything.
type Grant struct {
	Caller
	Limits Limits
	own    narrow
	team   narrow
}

// narrow is what a key, or its team, narrows.
type narrow struct{ models, providers, regions []string }

// MayAsk reports whether the caller may ask for a model by a name.
func (g *Grant) MayAsk(model string) bool {
	return g == nil || matches(g.own.models, model) && matches(g.team.models, model)
}

// MayAskAll reports whether there is no model that the caller may not ask for.
func (g *Grant) MayAskAll() bool {
	return g == nil || isAll(g.own.models) && isAll(g.team.models)
}

// MayUse reports whether the caller may be served by a provider in a region.
func (g *Grant) MayUse(provider, region string) bool {
	return g == nil || matches(g.own.providers, provider) && matches(g.team.providers, provider) &&
		matches(g.own.regions, region) && matches(g.team.regions, region)
}

func isAll(list []string) bool { return len(list) == 0 || slices.Contains(list, "*") }

// matches reports whether a list, where there is one, has a word.
func matches(list []string, word string) bool {
	if len(list) == 0 {
		return true
	}
	for _, pattern := range list {
		if begin, isPattern := strings.CutSuffix(pattern, "*"); pattern == word || isPattern && strings.HasPrefix(word, begin) {
			return true
		}
	}
	return false
}

// State is how a key stands at a time, in a word.
func (k *Key) State(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "expired"
	case k.Disabled:
		return "disabled"
	}
	return "active"
}

// kept is a key with its hashes.
type kept struct {
	Key
	Hash string `json:"hash"`
	Old  string `json:"old,omitempty"`
	// Older are written in the order of former. None of their names may be that of Hash: a record is cut at it.
	Older []keptFormer `json:"older,omitempty"`
	Role  Role         `json:"role,omitempty"`
}

type keptFormer struct {
	Sum   string `json:"sum"`
	Until int64  `json:"until"`
}

// Text writes a key for a store.
func (k *Key) Text() ([]byte, error) {
	form := kept{Key: *k, Hash: hex.EncodeToString(k.hash[:]), Role: k.role}
	if k.old != (Hash{}) {
		form.Old = hex.EncodeToString(k.old[:])
	}
	for _, f := range k.older {
		form.Older = append(form.Older, keptFormer{hex.EncodeToString(f.hash[:]), f.until})
	}
	text, err := json.Marshal(form)
	if err != nil {
		return nil, fmt.Errorf("write the key %s: %w", k.ID, err)
	}
	return text, nil
}

// ParseKey reads what Text wrote.
func ParseKey(text []byte) (Key, error) {
	var form kept
	err := json.Unmarshal(text, &form)
	if err == nil {
		err = form.hash.read(form.Hash)
	}
	if err == nil && form.Old != "" {
		err = form.old.read(form.Old)
	}
	for _, f := range form.Older {
		one := former{until: f.Until}
		err = errors.Join(err, one.hash.read(f.Sum))
		form.older = append(form.older, one)
	}
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	form.role = form.Role
	return form.Key, nil
}

func (h *Hash) read(text string) error {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return errors.New("got no hash, want one")
	}
	copy(h[:], b)
	return nil
}
