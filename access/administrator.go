package access

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Role is what an administrator may do: each may do what those before it may.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // looks, and changes nothing
	Operator Role = "operator" // runs the gateway: keys, budgets, drills, evacuations
	Admin    Role = "admin"    // says who the administrators are
)

// Roles lists the roles, the least first.
func Roles() []Role { return []Role{Viewer, Operator, Admin} }

// Covers reports whether whoever has the role may do what another one is needed for. What does not say what it
// needs is for an Admin.
func (r Role) Covers(needed Role) bool {
	have, want := slices.Index(Roles(), r), slices.Index(Roles(), needed)
	if want < 0 {
		want = len(Roles()) - 1
	}
	return have >= want
}

// CheckRole finds what is wrong with a role.
func CheckRole(r Role) error {
	if !slices.Contains(Roles(), r) {
		return llm.Invalid("role", "The role must be viewer, operator or admin.")
	}
	return nil
}

// Administrator is somebody who may use the admin API, by a token of their own. Its text is not in it.
type Administrator struct {
	Name     string    `json:"name" doc:"What the audit log calls them."`
	Role     Role      `json:"role" doc:"admin, operator or viewer."`
	Expires  time.Time `json:"expires,omitzero" doc:"When the token ends; never if not given."`
	Ending   string    `json:"ending" doc:"The token's last four characters."`
	Created  time.Time `json:"created,omitzero"`
	Changed  time.Time `json:"changed,omitzero" doc:"When it was last changed."`
	Revoked  time.Time `json:"revoked,omitzero" doc:"When it was revoked, for good."`
	Rotation string    `json:"rotation,omitempty" doc:"The id of the token's last rotation."`
	OldUntil time.Time `json:"old_until,omitzero" doc:"Until when the token before its last rotation is taken, too."`
	Declared bool      `json:"declared,omitempty" doc:"Whether it stands in the config file, and can only be changed there."`
	State    string    `json:"state" doc:"active, expired or revoked."`
}

// AdministratorSpec is what is said of an administrator.
type AdministratorSpec struct {
	Role    Role      `json:"role" doc:"viewer looks; operator changes keys and budgets, drills and evacuates, too; admin says who the administrators are, too."`
	Expires time.Time `json:"expires,omitzero" doc:"When the token ends; never if not given."`
}

// DeclaredAdministrator is one that stands in the config file, and the token's text.
type DeclaredAdministrator struct {
	Name string
	Text string
	AdministratorSpec
}

// An administrator's token is kept as keys are, under an id that no key can have.
const (
	tokenIDPrefix = "admin:"
	tokenPrefix   = "us-admin-"
)

func tokenID(name string) string { return tokenIDPrefix + name }

func (r *Registry) administrator(k *Key) Administrator {
	return Administrator{
		Name: strings.TrimPrefix(k.ID, tokenIDPrefix), Role: k.role, Expires: k.Expires, Ending: k.Ending, Created: k.Created, Changed: k.Changed,
		Revoked: k.Revoked, Rotation: k.Rotation, OldUntil: k.OldUntil, Declared: k.Declared, State: k.State(r.now()),
	}
}

// addAdministrator takes in a token, and what it is known by if it can be used.
func (s *snapshot) addAdministrator(k *Key) {
	s.admins = append(s.admins, *k)
	if k.Revoked.IsZero() {
		k.enter(s.byToken, entry{admin: &Administrator{Name: strings.TrimPrefix(k.ID, tokenIDPrefix), Role: k.role}})
	}
}

// Identify finds whose token a text is. It reports the name and the role.
func (r *Registry) Identify(shown string) (name string, role Role, err *llm.Error) {
	s := r.snapshot()
	sum := r.sum(shown)
	if e := r.find(s.byToken, &sum); e != nil {
		return e.admin.Name, e.admin.Role, nil
	}
	if r.isStale(s) {
		return "", "", &llm.Error{
			Code: llm.CodeUnavailable, Origin: llm.OriginGateway, RetryAfter: time.Second,
			Message: "The gateway does not know the token, and cannot find out now whether it is a new one. Try again.",
		}
	}
	return "", "", &llm.Error{
		Code: llm.CodeAuthentication, Origin: llm.OriginClient,
		Message: "The admin API does not take this token: it is unknown, or has expired or was revoked.",
	}
}

// Administrators lists the administrators by name, revoked ones included.
func (r *Registry) Administrators() []Administrator {
	admins := r.snapshot().admins
	list := make([]Administrator, len(admins))
	for i := range admins {
		list[i] = r.administrator(&admins[i])
	}
	return list
}

// token finds the token of an administrator by its id.
func (r *Registry) token(id string) (Key, error) {
	if k, ok := ofID(r.snapshot().admins, id); ok {
		return k, nil
	}
	return Key{}, &llm.Error{
		Code: llm.CodePathNotFound, Origin: llm.OriginClient,
		Message: "There is no administrator of this name. GET /v1/administrators lists those that there are.",
	}
}

// Administrator finds an administrator by name.
func (r *Registry) Administrator(name string) (Administrator, error) {
	k, err := r.token(tokenID(name))
	return r.administrator(&k), err
}

// AddAdministrator makes somebody an administrator. The token's text is returned this once, and nothing keeps it.
// Asked for again, it is the same, and text is empty.
func (r *Registry) AddAdministrator(ctx context.Context, name string, spec AdministratorSpec) (a Administrator, text string, err error) {
	for _, wrong := range []error{CheckID(name), CheckRole(spec.Role), r.canMake()} {
		if wrong != nil {
			return Administrator{}, "", wrong
		}
	}
	k, text, err := r.enroll(ctx, r.token, func() (Key, string) {
		text := newText(tokenPrefix)
		return Key{
			ID: tokenID(name), Spec: Spec{Expires: spec.Expires.UTC()}, Ending: endingOf(text), Created: r.instant(), Revision: 1,
			hash: r.secretSum(text), role: spec.Role,
		}, text
	}, func(k *Key) error {
		if k.Declared || !k.Revoked.IsZero() || k.role != spec.Role || !k.Expires.Equal(spec.Expires) {
			return conflict("There is, or was, another administrator of this name. Names are never used again: choose another one, or change that one.")
		}
		return nil
	})
	if err != nil {
		return Administrator{}, "", err
	}
	return r.administrator(&k), text, nil
}

// ChangeAdministrator changes what an administrator may do.
func (r *Registry) ChangeAdministrator(ctx context.Context, name string, change func(*AdministratorSpec)) (Administrator, error) {
	k, err := r.update(ctx, tokenID(name), r.token, func(k *Key) (bool, error) {
		was := AdministratorSpec{k.role, k.Expires}
		now := was
		change(&now)
		k.role, k.Expires = now.Role, now.Expires.UTC()
		return was != now, CheckRole(now.Role)
	})
	return r.administrator(&k), err
}

// RotateAdministrator gives an administrator another token, as Rotate does a key.
func (r *Registry) RotateAdministrator(ctx context.Context, name, rotation string, overlap time.Duration) (a Administrator, text string, err error) {
	k, text, err := r.rotate(ctx, tokenID(name), r.token, turn{rotation, overlap, tokenPrefix})
	return r.administrator(&k), text, err
}

// RevokeAdministrator ends an administrator's token for good. The name stays, since the audit log speaks of it.
func (r *Registry) RevokeAdministrator(ctx context.Context, name string) (Administrator, error) {
	k, err := r.revoke(ctx, tokenID(name), r.token)
	return r.administrator(&k), err
}
