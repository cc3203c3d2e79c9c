package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// secretFile holds what keys are hashed with, where the config names no other place.
const secretFile = "access-secret"

// openAccess reads the keys that the store has. Without a store they last as long as the program.
func (a *App) openAccess(c *config.Config) error {
	d, err := declared(c, a.opts.Env)
	if err != nil {
		return err
	}
	secret, err := a.accessSecret(c)
	if err != nil {
		return err
	}
	var kept access.Store = &access.Memory{}
	if a.data != nil {
		kept = a.books.store
	}
	shared := c.Store != ""
	if err := a.access.Open(context.Background(), secret, kept, shared, d); err != nil {
		return fmt.Errorf("open the keys: %w", err)
	}
	a.audit = kept
	if shared {
		ctx, stop := context.WithCancel(context.Background())
		a.stopFollowing = stop
		go a.access.Follow(ctx)
	}
	if !d.Anonymous && len(a.access.Keys("", 1)) == 0 {
		a.opts.Log.Warn("nobody may call: there are no keys yet", "hint", "understudy keys create")
	}
	return nil
}

// accessSecret is the secret that the config names, or the one in the data folder. Gateways that
// share a store have none of their own: they would not know each other's keys.
func (a *App) accessSecret(c *config.Config) (access.Secret, error) {
	if c.Access.Secret != (config.Key{}) {
		return readAccessSecret(c, a.opts.Env)
	}
	if c.Store != "" {
		return access.Secret{}, nil
	}
	text, err := a.files.Read(secretFile)
	if errors.Is(err, fs.ErrNotExist) {
		made := access.NewSecret()
		if err := a.files.Write(secretFile, []byte(made.Text()+"\n")); err != nil {
			return access.Secret{}, fmt.Errorf("keep the secret of the keys: %w", err)
		}
		return made, nil
	}
	if err != nil {
		return access.Secret{}, fmt.Errorf("read the secret of the keys: %w", err)
	}
	secret, err := access.ParseSecret(string(text))
	if err != nil {
		return access.Secret{}, fmt.Errorf("%s in the data folder: %w", secretFile, err)
	}
	return secret, nil
}

func readAccessSecret(c *config.Config, env func(string) (string, bool)) (access.Secret, error) {
	text, err := readReference(c.Access.Secret, env)
	var secret access.Secret
	if err == nil {
		secret, err = access.ParseSecret(text)
	}
	if err != nil {
		return access.Secret{}, c.Problem("access.secret", "access.secret: "+err.Error(), "")
	}
	return secret, nil
}

// readReference reads what a reference says where it is.
func readReference(k config.Key, env func(string) (string, bool)) (string, error) {
	secret, err := resolve(config.Provider{Key: k, Facts: provider.Facts{Auth: provider.AuthBearer}}, sources{env: env})
	return secret.Reveal(), err
}

// declared reads the keys and teams that the config declares. The error is config.Problems.
func declared(c *config.Config, env func(string) (string, bool)) (access.Declared, error) {
	var problems config.Problems
	bad := func(path string, err error) {
		message := err.Error()
		var e *llm.Error
		if errors.As(err, &e) {
			message, path = e.Message, path+"."+e.Param
		}
		problems = append(problems, c.Problem(path, path+": "+message, ""))
	}
	d := access.Declared{Anonymous: c.Access.Anonymous, Teams: map[string]access.Team{}}
	for _, t := range c.Access.Teams {
		team := access.Team{Organisation: t.Organisation, Models: t.Models, Providers: t.Providers, Regions: t.Regions, Disabled: t.Disabled}
		if err := team.Check(); err != nil {
			bad("access.teams."+t.Name, err)
		}
		d.Teams[t.Name] = team
	}
	seen := map[string]string{}
	read := func(path string, at config.Key) string {
		text, err := readReference(at, env)
		if err == nil {
			err = access.CheckText(text)
		}
		if other, twice := seen[text]; err == nil && twice {
			err = errors.New("got the same as " + other + ", want another one")
		}
		if err != nil {
			bad(path, err)
		}
		seen[text] = path
		return text
	}
	for _, k := range c.Access.Keys {
		path := "access.keys." + k.ID
		made := access.DeclaredKey{ID: k.ID, Spec: access.Spec{
			Name: k.Name, User: k.User, Team: k.Team, Organisation: k.Organisation, Models: k.Models, Providers: k.Providers, Regions: k.Regions, Tags: k.Tags,
			Limits: access.Limits{
				RequestsPerMinute: int64(k.Limits.RequestsPerMinute), TokensPerMinute: int64(k.Limits.TokensPerMinute), Concurrent: int64(k.Limits.Concurrent),
			},
			Expires: k.Expires.Time, Disabled: k.Disabled,
		}}
		if err := made.Spec.Check(); err != nil {
			bad(path, err)
		}
		made.Text = read(path+".key", k.Key)
		d.Keys = append(d.Keys, made)
	}
	for _, a := range c.Access.Administrators {
		path := "access.administrators." + a.Name
		made := access.DeclaredAdministrator{Name: a.Name, AdministratorSpec: access.AdministratorSpec{Role: access.Role(a.Role), Expires: a.Expires.Time}}
		for _, err := range []error{access.CheckID(made.Name), access.CheckRole(made.Role)} {
			if err != nil {
				bad(path, err)
			}
		}
		made.Text = read(path+".token", a.Token)
		d.Administrators = append(d.Administrators, made)
	}
	if c.Access.Secret != (config.Key{}) {
		if _, err := readAccessSecret(c, env); err != nil {
			var p config.Problem
			if errors.As(err, &p) {
				problems = append(problems, p)
			}
		}
	}
	if err := problems.Err(); err != nil {
		return access.Declared{}, err
	}
	return d, nil
}
