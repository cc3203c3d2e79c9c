package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
)

type keysCommand struct {
	Create createKeyCommand `cmd:"" help:"Make a key for a client, and show it, this once."`
	List   listKeysCommand  `cmd:"" help:"List the keys."`
	Show   showKeyCommand   `cmd:"" help:"Show what a key may do."`
	Change changeKeyCommand `cmd:"" help:"Change what a key may do."`
	Rotate rotateKeyCommand `cmd:"" help:"Give a key another text, and take both for a while."`
	Revoke revokeKeyCommand `cmd:"" help:"End a key, for good."`
}

// Help shows how keys is used.
func (keysCommand) Help() string {
	return "Clients show a key in the place of the vendor's. Of its text only a hash is kept. " +
		"Keys that the config file declares are listed, too, and changed there.\n\n" +
		examples("understudy keys create web --model assistant --team search", "understudy keys list", "understudy keys rotate web --overlap 24h", "understudy keys revoke web")
}

// keyFlags are what can be said of a key.
type keyFlags struct {
	Name         *string  `help:"What logs and the ledger call it; its id if not given." placeholder:"NAME"`
	User         *string  `help:"Who it belongs to." placeholder:"NAME"`
	Team         *string  `help:"Their team." placeholder:"NAME"`
	Organisation *string  `help:"Their organisation." placeholder:"NAME"`
	Model        []string `help:"The models it may ask for: names such as assistant, openai/* for all of a provider, or * for all." placeholder:"NAME"`
	Provider     []string `help:"The providers it may be served by; any if none is given." placeholder:"NAME"`
	Region       []string `help:"The regions it may be served in; any if none is given." placeholder:"NAME"`
	Tag          []string `help:"Words of your choice: what its calls are for, in reports by tag, where they do not say so themselves." placeholder:"WORD"`
	Requests     *int64   `help:"How many requests it may make in a minute; 0 is no limit." placeholder:"NUMBER"`
	Tokens       *int64   `help:"How many tokens it may use in a minute; 0 is no limit." placeholder:"NUMBER"`
	Concurrent   *int64   `help:"How many requests may run at once; 0 is no limit." placeholder:"NUMBER"`
	Expires      string   `help:"When it ends: a day, as 2027-01-31, a time, as 2027-01-31T12:00:00Z, or after a while, as 720h; never is no end." placeholder:"TIME"`
}

// limits are the flags' limits, over those that there are.
func (f keyFlags) limits(l client.KeyLimits) client.KeyLimits {
	for _, one := range []struct {
		to    *int64
		given *int64
	}{{&l.RequestsPerMinute, f.Requests}, {&l.TokensPerMinute, f.Tokens}, {&l.Concurrent, f.Concurrent}} {
		if one.given != nil {
			*one.to = *one.given
		}
	}
	return l
}

// expiry reads when a key or a token ends; zero is never.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" || text == "never" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	return time.Time{}, usageError{fmt.Sprintf("--expires: got %q, want a day such as 2027-01-31, a time, a while such as 720h, or never", text)}
}

type createKeyCommand struct {
	operatorFlags
	keyFlags
	ID string `arg:"" optional:"" help:"Its id: up to 64 letters, digits, dots, dashes and underscores. Made up if not given; never used again."`
}

// Help shows how keys create is used.
func (createKeyCommand) Help() string {
	return "Prints the key alone to standard output, so that it can be piped to where it belongs, and all else to standard error.\n\n" +
		examples("understudy keys create web --model assistant --team search --requests 600", `understudy keys create --model "*" --expires 720h --json`)
}

// Run makes a key.
func (c createKeyCommand) Run(s *session) error {
	if len(c.Model) == 0 {
		return usageError{"got no --model, want those that the key may ask for, such as --model assistant,openai/*, or --model \"*\" for all"}
	}
	expires, err := expiry(c.Expires, time.Now())
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	spec := client.KeySpec{Models: c.Model, Providers: c.Provider, Regions: c.Region, Tags: c.Tag, Limits: c.limits(client.KeyLimits{}), Expires: expires}
	for _, text := range []struct {
		to    *string
		given *string
	}{{&spec.Name, c.Name}, {&spec.User, c.User}, {&spec.Team, c.Team}, {&spec.Organisation, c.Organisation}} {
		if text.given != nil {
			*text.to = *text.given
		}
	}
	id := c.ID
	if id == "" {
		id = newKeyID()
	}
	k, err := api.CreateKey(context.Background(), id, spec)
	if err != nil {
		return err
	}
	return s.showNewKey(k, c.JSON)
}

func newKeyID() string {
	const letters = 10
	return "key-" + strings.ToLower(rand.Text()[:letters])
}

// showNewKey shows a key with its text, if that is new.
func (s *session) showNewKey(k client.Key, asJSON bool) error {
	if asJSON {
		return s.writeJSON(k)
	}
	if k.Text == "" {
		fmt.Fprintf(s.err, "the key %s is there already, and is shown only once\nhint: understudy keys rotate %s gives it another text\n", k.ID, k.ID)
		return errTold
	}
	fmt.Fprintf(s.err, "the key %s, shown this once:\n", k.ID)
	if _, err := fmt.Fprintln(s.out, k.Text); err != nil {
		return fmt.Errorf("write the key %s, which is made: %w\nhint: understudy keys rotate %s gives it another text", k.ID, err, k.ID)
	}
	return nil
}

type listKeysCommand struct{ operatorFlags }

// Help shows how keys list is used.
func (listKeysCommand) Help() string {
	return examples("understudy keys list", "understudy keys list --json")
}

// Run lists the keys.
func (c listKeysCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	all, err := api.Keys(context.Background())
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(all)
	}
	w := s.table()
	fmt.Fprintln(w, "KEY\tNAME\tUSER\tTEAM\tMODELS\tENDS WITH\tEXPIRES\tSTATE")
	for _, k := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, orDash(k.Name), orDash(k.User), orDash(k.Team), strings.Join(k.Models, ","), orDash(k.Ending), orNever(k.Expires), k.State)
	}
	return w.Flush()
}

func orNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

type showKeyCommand struct {
	operatorFlags
	ID string `arg:"" help:"The key's id."`
}

// Help shows how keys show is used.
func (showKeyCommand) Help() string { return examples("understudy keys show web") }

// Run shows a key.
func (c showKeyCommand) Run(s *session) error {
	return c.withKey(s, func(ctx context.Context, api *client.Client) (client.Key, error) { return api.Key(ctx, c.ID) })
}

// withKey does something about a key, and shows it.
func (f operatorFlags) withKey(s *session, do func(context.Context, *client.Client) (client.Key, error)) error {
	api, err := f.client()
	if err != nil {
		return err
	}
	defer api.Close()
	k, err := do(context.Background(), api)
	if err != nil {
		return err
	}
	return s.showKey(k, f.JSON)
}

func (s *session) showKey(k client.Key, asJSON bool) error {
	if asJSON {
		return s.writeJSON(k)
	}
	w := s.table()
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	limit := func(name string, n int64) {
		if n > 0 {
			row(name, fmt.Sprint(n))
		}
	}
	row("key", k.ID)
	row("state", k.State)
	row("name", k.Name)
	row("user", k.User)
	row("team", k.Team)
	row("organisation", k.Organisation)
	row("models", strings.Join(k.Models, ", "))
	row("providers", strings.Join(k.Providers, ", "))
	row("regions", strings.Join(k.Regions, ", "))
	row("tags", strings.Join(k.Tags, ", "))
	limit("requests a minute", k.Limits.RequestsPerMinute)
	limit("tokens a minute", k.Limits.TokensPerMinute)
	limit("requests at once", k.Limits.Concurrent)
	row("expires", orNever(k.Expires))
	row("ends with", k.Ending)
	if k.Declared {
		row("from", "the config file")
	}
	for _, t := range []struct {
		name string
		at   time.Time
	}{{"made", k.Created}, {"changed", k.Changed}, {"revoked", k.Revoked}, {"old text taken until", k.OldUntil}} {
		if !t.at.IsZero() {
			row(t.name, t.at.UTC().Format(time.RFC3339))
		}
	}
	return w.Flush()
}

type changeKeyCommand struct {
	operatorFlags
	keyFlags
	ID      string `arg:"" help:"The key's id."`
	Disable bool   `help:"Refuse it for the time being." xor:"able"`
	Enable  bool   `help:"Take it again." xor:"able"`
}

// Help shows how keys change is used.
func (changeKeyCommand) Help() string {
	return "What is not said stays; a list that is said takes the place of the old one, and an empty one (--provider=) lifts it.\n\n" +
		examples("understudy keys change web --model assistant,writer", "understudy keys change web --disable", "understudy keys change web --expires never --requests 0")
}

// Run changes a key.
func (c changeKeyCommand) Run(s *session) error {
	change := client.KeyChange{
		Name: c.Name, User: c.User, Team: c.Team, Organisation: c.Organisation,
		Models: listed(c.Model), Providers: listed(c.Provider), Regions: listed(c.Region), Tags: listed(c.Tag),
	}
	if c.Disable || c.Enable {
		change.Disabled = &c.Disable
	}
	var err error
	if change.Expires, err = changedExpiry(c.Expires, time.Now()); err != nil {
		return err
	}
	hasLimits := c.Requests != nil || c.Tokens != nil || c.Concurrent != nil
	if change == (client.KeyChange{}) && !hasLimits {
		return usageError{"got nothing to change, want a flag that says what, such as --model or --disable\nhint: understudy keys change --help lists them"}
	}
	return c.withKey(s, func(ctx context.Context, api *client.Client) (client.Key, error) {
		if hasLimits {
			k, err := api.Key(ctx, c.ID)
			if err != nil {
				return k, err
			}
			limits := c.limits(k.Limits)
			change.Limits = &limits
		}
		return api.ChangeKey(ctx, c.ID, change)
	})
}

// changedExpiry is what a change says of the end; nil if nothing was said.
func changedExpiry(text string, now time.Time) (*string, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // it stays as it is
	}
	at, err := expiry(text, now)
	if err != nil || at.IsZero() {
		return new(string), err
	}
	said := at.Format(time.RFC3339)
	return &said, nil
}

// listed is a list that was said; nil if none was.
func listed(words []string) *[]string {
	if words == nil {
		return nil
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return &words
}

type rotateKeyCommand struct {
	operatorFlags
	ID      string        `arg:"" help:"The key's id."`
	Overlap time.Duration `help:"How long what it was before is taken, too: 24h if not given, up to 2160h, which are 90 days." default:"24h" placeholder:"DURATION"`
}

// Help shows how keys rotate is used.
func (rotateKeyCommand) Help() string {
	return "Prints the new key alone to standard output. What the key may do, and what was made with it, stays.\n\n" +
		examples("understudy keys rotate web", "understudy keys rotate web --overlap 0s")
}

// Run rotates a key.
func (c rotateKeyCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	k, err := api.RotateKey(context.Background(), c.ID, newID(time.Now()), c.Overlap)
	if err != nil {
		return err
	}
	return s.showNewKey(k, c.JSON)
}

type revokeKeyCommand struct {
	operatorFlags
	ID string `arg:"" help:"The key's id."`
}

// Help shows how keys revoke is used.
func (revokeKeyCommand) Help() string {
	return "It is refused within a second, at every gateway of the store. Answers that are on their way still arrive. Its id stays, since the ledger speaks of it, and is not used again.\n\n" +
		examples("understudy keys revoke web")
}

// Run revokes a key.
func (c revokeKeyCommand) Run(s *session) error {
	return c.withKey(s, func(ctx context.Context, api *client.Client) (client.Key, error) { return api.RevokeKey(ctx, c.ID) })
}
