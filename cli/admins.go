package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
)

type adminsCommand struct {
	Add    addAdminCommand    `cmd:"" help:"Make somebody an administrator, and show their token, this once."`
	List   listAdminsCommand  `cmd:"" help:"List the administrators."`
	Change changeAdminCommand `cmd:"" help:"Change what an administrator may do."`
	Rotate rotateAdminCommand `cmd:"" help:"Give an administrator another token, and take both for a while."`
	Revoke revokeAdminCommand `cmd:"" help:"End an administrator's token, for good."`
}

// Help shows how admins is used.
func (adminsCommand) Help() string {
	return "A viewer looks. An operator changes keys and budgets, drills and evacuates, too. An admin says who the administrators are, too. " +
		"The audit log has their names. Those that the config file declares are listed, too, and changed there.\n\n" +
		examples("understudy admins add ada --role operator", "understudy admins list", "understudy admins revoke ada")
}

type addAdminCommand struct {
	operatorFlags
	Name    string `arg:"" help:"What the audit log calls them: up to 64 letters, digits, dots, dashes and underscores; never used again."`
	Role    string `required:"" enum:"viewer,operator,admin" help:"What they may do: viewer, operator or admin." placeholder:"ROLE"`
	Expires string `help:"When the token ends: a day, as 2027-01-31, a time, as 2027-01-31T12:00:00Z, or after a while, as 720h; never is no end." placeholder:"TIME"`
}

// Help shows how admins add is used.
func (addAdminCommand) Help() string {
	return "Prints the token alone to standard output, and all else to standard error. Commands take it as they do the admin token.\n\n" +
		examples("understudy admins add ada --role operator --expires 2160h", "understudy admins add prometheus --role viewer")
}

// Run adds an administrator.
func (c addAdminCommand) Run(s *session) error {
	expires, err := expiry(c.Expires, time.Now())
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	a, err := api.AddAdministrator(context.Background(), c.Name, client.AdministratorSpec{Role: client.Role(c.Role), Expires: expires})
	if err != nil {
		return err
	}
	return s.showNewToken(a, c.JSON)
}

// showNewToken shows an administrator with the token, if that is new.
func (s *session) showNewToken(a client.Administrator, asJSON bool) error {
	if asJSON {
		return s.writeJSON(a)
	}
	if a.Text == "" {
		fmt.Fprintf(s.err, "%s is an administrator already, and the token is shown only once\nhint: understudy admins rotate %s gives them another one\n", a.Name, a.Name)
		return errTold
	}
	fmt.Fprintf(s.err, "the token of %s (%s), shown this once:\n", a.Name, a.Role)
	if _, err := fmt.Fprintln(s.out, a.Text); err != nil {
		return fmt.Errorf("write the token of %s, which is made: %w\nhint: understudy admins rotate %s gives them another", a.Name, err, a.Name)
	}
	return nil
}

type listAdminsCommand struct{ operatorFlags }

// Help shows how admins list is used.
func (listAdminsCommand) Help() string {
	return "The admin token that the gateway made itself is none of them.\n\n" + examples("understudy admins list", "understudy admins list --json")
}

// Run lists the administrators.
func (c listAdminsCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	all, err := api.Administrators(context.Background())
	if err != nil {
		return err
	}
	if c.JSON {
		return s.writeJSON(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(s.out, "there are no administrators beside the admin token")
		return nil
	}
	return s.showAdministrators(all)
}

func (s *session) showAdministrators(all []client.Administrator) error {
	w := s.table()
	fmt.Fprintln(w, "NAME\tROLE\tENDS WITH\tEXPIRES\tSTATE\tFROM")
	for _, a := range all {
		from := "-"
		if a.Declared {
			from = "the config file"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.Role, a.Ending, orNever(a.Expires), a.State, from)
	}
	return w.Flush()
}

// withAdministrator does something about an administrator, and shows them.
func (f operatorFlags) withAdministrator(s *session, do func(context.Context, *client.Client) (client.Administrator, error)) error {
	api, err := f.client()
	if err != nil {
		return err
	}
	defer api.Close()
	a, err := do(context.Background(), api)
	if err != nil {
		return err
	}
	if f.JSON {
		return s.writeJSON(a)
	}
	return s.showAdministrators([]client.Administrator{a})
}

type changeAdminCommand struct {
	operatorFlags
	Name    string `arg:"" help:"Their name."`
	Role    string `enum:"viewer,operator,admin," default:"" help:"What they may do: viewer, operator or admin." placeholder:"ROLE"`
	Expires string `help:"When the token ends; never is no end." placeholder:"TIME"`
}

// Help shows how admins change is used.
func (changeAdminCommand) Help() string {
	return "What is not said stays.\n\n" + examples("understudy admins change ada --role admin", "understudy admins change ada --expires never")
}

// Run changes an administrator.
func (c changeAdminCommand) Run(s *session) error {
	change := client.AdministratorChange{}
	if c.Role != "" {
		role := client.Role(c.Role)
		change.Role = &role
	}
	var err error
	if change.Expires, err = changedExpiry(c.Expires, time.Now()); err != nil {
		return err
	}
	if change == (client.AdministratorChange{}) {
		return usageError{"got nothing to change, want --role or --expires"}
	}
	return c.withAdministrator(s, func(ctx context.Context, api *client.Client) (client.Administrator, error) {
		return api.ChangeAdministrator(ctx, c.Name, change)
	})
}

type rotateAdminCommand struct {
	operatorFlags
	Name    string        `arg:"" help:"Their name."`
	Overlap time.Duration `help:"How long the token before is taken, too: 24h if not given, up to 2160h, which are 90 days." default:"24h" placeholder:"DURATION"`
}

// Help shows how admins rotate is used.
func (rotateAdminCommand) Help() string {
	return "Prints the new token alone to standard output.\n\n" + examples("understudy admins rotate ada", "understudy admins rotate ada --overlap 0s")
}

// Run rotates a token.
func (c rotateAdminCommand) Run(s *session) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	defer api.Close()
	a, err := api.RotateAdministrator(context.Background(), c.Name, newID(time.Now()), c.Overlap)
	if err != nil {
		return err
	}
	return s.showNewToken(a, c.JSON)
}

type revokeAdminCommand struct {
	operatorFlags
	Name string `arg:"" help:"Their name."`
}

// Help shows how admins revoke is used.
func (revokeAdminCommand) Help() string {
	return "It is refused within a second, at every gateway of the store. The name stays, since the audit log speaks of it, and is not used again.\n\n" +
		examples("understudy admins revoke ada")
}

// Run revokes a token.
func (c revokeAdminCommand) Run(s *session) error {
	return c.withAdministrator(s, func(ctx context.Context, api *client.Client) (client.Administrator, error) {
		return api.RevokeAdministrator(ctx, c.Name)
	})
}
