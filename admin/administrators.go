package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// Administrators are those who may use the API by a token of their own.
type Administrators interface {
	// Identify reports whose token a text is.
	Identify(shown string) (name string, role access.Role, err *llm.Error)
	Administrators() []access.Administrator
	Administrator(name string) (access.Administrator, error)
	// AddAdministrator returns a token's text when it has made it, and never again.
	AddAdministrator(ctx context.Context, name string, s access.AdministratorSpec) (a access.Administrator, text string, err error)
	ChangeAdministrator(ctx context.Context, name string, change func(*access.AdministratorSpec)) (access.Administrator, error)
	// RotateAdministrator likewise.
	RotateAdministrator(ctx context.Context, name, rotation string, overlap time.Duration) (a access.Administrator, text string, err error)
	RevokeAdministrator(ctx context.Context, name string) (access.Administrator, error)
}

var _ Administrators = (*access.Registry)(nil)

// ShownAdministrator is an administrator as the API shows them.
type ShownAdministrator struct {
	access.Administrator
	Text string `json:"token,omitempty" doc:"What they show. It is in the answer to the request that made it, and nowhere else."`
}

// AdministratorChange is what is to change of an administrator; what is not given stays.
type AdministratorChange struct {
	Role    *access.Role `json:"role,omitempty"`
	Expires *string      `json:"expires,omitempty" doc:"A time such as 2027-01-31T12:00:00Z; empty for never."`
}

func administratorEndpoints() []endpoint {
	return []endpoint{
		paged(read("/v1/administrators", "Who may use this API by a token of their own: those of the config file, too, and those who are revoked.", (*api).listAdministrators)),
		read("/v1/administrators/{name}", "An administrator, without the token.", (*api).getAdministrator),
		write(http.MethodPut, "/v1/administrators/{name}", "Make somebody an administrator. The first answer has the token.", (*api).addAdministrator),
		write(http.MethodPatch, "/v1/administrators/{name}", "Change what an administrator may do.", (*api).changeAdministrator),
		write(http.MethodDelete, "/v1/administrators/{name}", "Revoke an administrator's token, for good.", (*api).revokeAdministrator),
		write(http.MethodPut, "/v1/administrators/{name}/rotations/{rotation}", "Give an administrator another token, under an id of your choice. The first answer has it.", (*api).rotateAdministrator),
	}
}

func (a *api) listAdministrators(r *request) (List[access.Administrator], error) {
	return page(r, a.opts.Administrators.Administrators(), func(one access.Administrator) string { return one.Name })
}

func (a *api) getAdministrator(r *request) (access.Administrator, error) {
	return a.opts.Administrators.Administrator(r.PathValue("name"))
}

func (a *api) addAdministrator(r *request, s access.AdministratorSpec) (ShownAdministrator, error) {
	made, text, err := a.opts.Administrators.AddAdministrator(r.Context(), r.PathValue("name"), s)
	return ShownAdministrator{made, text}, err
}

func (a *api) changeAdministrator(r *request, c AdministratorChange) (access.Administrator, error) {
	expires, err := timeOf(c.Expires)
	if err != nil {
		return access.Administrator{}, err
	}
	return a.opts.Administrators.ChangeAdministrator(r.Context(), r.PathValue("name"), func(s *access.AdministratorSpec) {
		put(&s.Role, c.Role)
		put(&s.Expires, expires)
	})
}

func (a *api) revokeAdministrator(r *request, _ None) (access.Administrator, error) {
	return a.opts.Administrators.RevokeAdministrator(r.Context(), r.PathValue("name"))
}

func (a *api) rotateAdministrator(r *request, how Rotation) (ShownAdministrator, error) {
	made, text, err := a.opts.Administrators.RotateAdministrator(r.Context(), r.PathValue("name"), r.PathValue("rotation"), how.overlap())
	return ShownAdministrator{made, text}, err
}
