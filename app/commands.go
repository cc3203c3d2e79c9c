package app

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/internal/program"
	"github.com/understudy-ai/understudy/provider"
)

const (
	// commandsAtOnce bounds the commands that run at a time.
	commandsAtOnce = 4
	// commandPause is how long after one has failed it is run again, where its key says every.
	commandPause = time.Minute
)

// printed is what a command has printed, or why there is nothing.
type printed struct {
	text provider.Secret
	err  error
	next time.Time // when it is run again; never if zero
}

// commandsOf lists the keys of a config that commands print, each once. What two providers have from the same command is
// printed once for both.
func commandsOf(c *config.Config) []config.Key {
	var found []config.Key
	for _, k := range keysOf(c) {
		if k.Command != "" && !slices.Contains(found, k) {
			found = append(found, k)
		}
	}
	return found
}

// findCommand looks for a command's program.
func findCommand(k config.Key) error {
	if _, err := program.Find(k.Command.Words()[0]); err != nil {
		return errors.New(k.String() + " " + err.Error())
	}
	return nil
}

// runCommands runs commands of a config, a few at a time. The result is not nil.
func runCommands(ctx context.Context, c *config.Config, keys []config.Key) map[config.Key]printed {
	results := make(map[config.Key]printed, len(keys))
	env, folder := commandEnv(c, os.Environ()), filepath.Dir(c.File())
	var mu sync.Mutex
	var all sync.WaitGroup
	free := make(chan struct{}, commandsAtOnce)
	for _, k := range keys {
		all.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			text, err := program.Program{Words: k.Command.Words(), Dir: folder, Env: env, Limit: k.Timeout, Most: maxKey}.Run(ctx)
			result := printed{text: provider.NewSecret(string(text))}
			if err != nil {
				result.err = errors.New(k.String() + " " + err.Error())
			}
			if k.Every > 0 {
				result.next = time.Now().Add(k.Every)
			}
			mu.Lock()
			defer mu.Unlock()
			results[k] = result
		})
	}
	all.Wait()
	return results
}

// ownVariables are those of the gateway that no command is shown, beside those that the config names and those that
// usually hold a service's key. What commands sign in with themselves, such as a vault's token, they are.
var ownVariables = []string{"OTEL_EXPORTER_OTLP_HEADERS", "PGPASSWORD", "PGSSLPASSWORD", ownerVariable, socketsVariable, "LISTEN_FDNAMES"}

// commandEnv is what of an environment commands are shown.
func commandEnv(c *config.Config, environ []string) []string {
	hidden := slices.Clone(ownVariables)
	known := provider.Known()
	for _, id := range known.IDs() {
		hidden = append(hidden, known.KeyEnv(id))
	}
	for _, k := range append(keysOf(c), c.Access.Secret) {
		hidden = append(hidden, k.Env)
	}
	for _, p := range c.Providers {
		hidden = append(hidden, p.Facts.KeyEnv)
	}
	for _, address := range []string{c.Store, c.Redis} {
		if name, isEnv := strings.CutPrefix(address, "env:"); isEnv {
			hidden = append(hidden, name)
		}
	}
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		isHidden := func(other string) bool { return strings.EqualFold(name, other) } // Windows has both as one
		return slices.ContainsFunc(hidden, isHidden) || strings.HasPrefix(strings.ToUpper(name), "UNDERSTUDY_")
	})
}

// hint says how to find out why a command fails.
func hint(k config.Key) string {
	if k.Command == "" {
		return ""
	}
	return "run it by hand, as the gateway's user: what it says of an error is shown nowhere, since it may quote a secret"
}

// startCommands runs the commands of the first config, and puts the routes with their keys in force.
func (a *App) startCommands(ctx context.Context, c *config.Config) error {
	keys := commandsOf(c)
	if len(keys) == 0 {
		return nil
	}
	results := runCommands(ctx, c, keys)
	if ctx.Err() != nil {
		return ctx.Err() //nolint:wrapcheck // as it is said
	}
	r, err := buildRoutes(c, sources{a.opts.Env, results})
	if err != nil {
		return err
	}
	a.use(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.printed = results
	return nil
}

// inForce is the config in force, and what its commands have printed.
func (a *App) inForce() (*config.Config, map[config.Key]printed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.config, a.printed
}

// runDue runs the commands whose time has come, and puts in force what they print now. One that fails, or prints what is
// no key, leaves the old key in force.
func (a *App) runDue(ctx context.Context) {
	c, have := a.inForce()
	var due []config.Key
	for k, p := range have {
		if !p.next.IsZero() && !time.Now().Before(p.next) {
			due = append(due, k)
		}
	}
	if len(due) == 0 {
		return
	}
	results := runCommands(ctx, c, due)
	if ctx.Err() != nil {
		return
	}
	for k, got := range results {
		_, have := a.inForce()
		old, next := have[k], maps.Clone(have)
		next[k] = got
		err := got.err
		if err == nil && got.text.Reveal() != old.text.Reveal() {
			if err = a.enforce(c, next); err == nil {
				a.opts.Log.Info("a key is another one, since its command has printed another", "command", k.String())
				continue
			}
		}
		if err != nil {
			a.opts.Log.Error("key not read again, the old one stays in force", "error", err.Error())
			old.next = time.Now().Add(min(k.Every, commandPause))
			next[k] = old
		}
		a.mu.Lock()
		a.printed = next
		a.mu.Unlock()
	}
}
