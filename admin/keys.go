package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// Keys are the virtual keys that the API makes, changes and shows.
type Keys interface {
	// Keys lists keys after an id, at most so many.
	Keys(after string, most int) []access.Key
	Key(id string) (access.Key, error)
	// Create returns a key's text when it has made it, and never again.
	Create(ctx context.Context, id string, s access.Spec) (k access.Key, text string, err error)
	Change(ctx context.Context, id string, change func(*access.Spec)) (access.Key, error)
	// Rotate likewise.
	Rotate(ctx context.Context, id, rotation string, overlap time.Duration) (k access.Key, text string, err error)
	Revoke(ctx context.Context, id string) (access.Key, error)
}

var _ Keys = (*access.Registry)(nil)

// ShownKey is a key as the API shows it.
type ShownKey struct {
	access.Key
	State string `json:"state" doc:"active, disabled, expired or revoked."`
	Text  string `json:"key,omitempty" doc:"What clients show. It is in the answer to the request that made it, and nowhere else."`
}

// KeyChange is what is to change of a key; what is not given stays.
type KeyChange struct {
	Name         *string        `json:"name,omitempty"`
	User         *string        `json:"user,omitempty"`
	Team         *string        `json:"team,omitempty"`
	Organisation *string        `json:"organisation,omitempty"`
	Models       *[]string      `json:"models,omitempty"`
	Providers    *[]string      `json:"providers,omitempty"`
	Regions      *[]string      `json:"regions,omitempty"`
	Tags         *[]string      `json:"tags,omitempty"`
	Limits       *access.Limits `json:"limits,omitempty" doc:"All of them: those that are not given are lifted."`
	Expires      *string        `json:"expires,omitempty" doc:"A time such as 2027-01-31T12:00:00Z; empty for never."`
	Disabled     *bool          `json:"disabled,omitempty"`
}

// Rotation is how a key is given another text.
type Rotation struct {
	OverlapSeconds float64 `json:"overlap_seconds,omitempty" doc:"How long what it was before is taken, too: 0, if not given, to 7776000, which are 90 days."`
}

func keyEndpoints() []endpoint {
	return []endpoint{
		paged(read("/v1/keys", "The keys, by id: those of the config file, too, and those that are revoked.", (*api).listKeys)),
		read("/v1/keys/{id}", "A key, without its text.", (*api).getKey),
		write(http.MethodPut, "/v1/keys/{id}", "Make a key, under an id of your choice. The first answer has its text.", (*api).createKey),
		write(http.MethodPatch, "/v1/keys/{id}", "Change what a key may do.", (*api).changeKey),
		write(http.MethodDelete, "/v1/keys/{id}", "Revoke a key, for good.", (*api).revokeKey),
		write(http.MethodPut, "/v1/keys/{id}/rotations/{rotation}", "Give a key another text, under an id of your choice. The first answer has it.", (*api).rotateKey),
	}
}

func (a *api) shown(k access.Key, text string) ShownKey {
	return ShownKey{Key: k, State: k.State(a.opts.Now()), Text: text}
}

func (a *api) listKeys(r *request) (List[ShownKey], error) {
	limit, err := pageSize(r.URL.Query())
	if err != nil {
		return List[ShownKey]{}, err
	}
	after := r.URL.Query().Get("after")
	if after != "" && access.CheckID(after) != nil {
		return List[ShownKey]{}, llm.Invalid("after", "The parameter after must be the next of a page before this one.")
	}
	found := a.opts.Keys.Keys(after, limit+1)
	list := List[ShownKey]{Data: []ShownKey{}}
	for _, k := range found[:min(limit, len(found))] {
		list.Data = append(list.Data, a.shown(k, ""))
	}
	if len(found) > limit {
		list.Next = found[limit-1].ID
	}
	return list, nil
}

func (a *api) getKey(r *request) (ShownKey, error) {
	k, err := a.opts.Keys.Key(r.PathValue("id"))
	return a.shown(k, ""), err
}

func (a *api) createKey(r *request, s access.Spec) (ShownKey, error) {
	k, text, err := a.opts.Keys.Create(r.Context(), r.PathValue("id"), s)
	return a.shown(k, text), err
}

func (a *api) changeKey(r *request, c KeyChange) (ShownKey, error) {
	expires, err := timeOf(c.Expires)
	if err != nil {
		return ShownKey{}, err
	}
	k, err := a.opts.Keys.Change(r.Context(), r.PathValue("id"), func(s *access.Spec) {
		put(&s.Name, c.Name)
		put(&s.User, c.User)
		put(&s.Team, c.Team)
		put(&s.Organisation, c.Organisation)
		put(&s.Models, c.Models)
		put(&s.Providers, c.Providers)
		put(&s.Regions, c.Regions)
		put(&s.Tags, c.Tags)
		put(&s.Limits, c.Limits)
		put(&s.Disabled, c.Disabled)
		put(&s.Expires, expires)
	})
	return a.shown(k, ""), err
}

// timeOf reads a time that is given; an empty text is none.
func timeOf(text *string) (*time.Time, error) {
	switch {
	case text == nil:
		return nil, nil //nolint:nilnil // nothing was said
	case *text == "":
		return &time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return nil, llm.Invalid("expires", "The field expires must be a time such as 2027-01-31T12:00:00Z, or empty.")
	}
	t = t.UTC()
	return &t, nil
}

// put takes a value that is given.
func put[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}

func (a *api) revokeKey(r *request, _ None) (ShownKey, error) {
	k, err := a.opts.Keys.Revoke(r.Context(), r.PathValue("id"))
	return a.shown(k, ""), err
}

// overlap is what was said, or less than nothing if that is no time.
func (r Rotation) overlap() time.Duration {
	const most = 100 * 365 * 24 * 60 * 60 // what a duration can hold; the registry bounds it closer
	if r.OverlapSeconds < 0 || r.OverlapSeconds > most {
		return -1
	}
	return time.Duration(r.OverlapSeconds * float64(time.Second))
}

func (a *api) rotateKey(r *request, how Rotation) (ShownKey, error) {
	k, text, err := a.opts.Keys.Rotate(r.Context(), r.PathValue("id"), r.PathValue("rotation"), how.overlap())
	return a.shown(k, text), err
}
