package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/provider"
)

// Load reads and checks a config file; an empty path gives the configuration
// without one, from the environment. env is os.LookupEnv if nil.
func Load(path string, env func(string) (string, bool)) (*config.Config, error) {
	if path == "" {
		if env == nil {
			env = os.LookupEnv
		}
		return config.Default(provider.Known(), env), nil
	}
	return config.Load(path, provider.Known())
}

// Reload runs the commands of a config and puts it in force for the calls that open from now on;
// those that run keep the one they began with. On an error the old one stays, whole. What is
// fixed when the program starts cannot be changed so.
func (a *App) Reload(ctx context.Context, c *config.Config) error {
	return a.enforce(c, runCommands(ctx, c, commandsOf(c)))
}

// enforce is Reload when the commands have been run. Nobody waits for it.
func (a *App) enforce(c *config.Config, printed map[config.Key]printed) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := fixed(a.config, c); err != nil {
		return err
	}
	r, err := buildRoutes(c, sources{a.opts.Env, printed})
	if err != nil {
		return err
	}
	d, err := declared(c, a.opts.Env)
	if err != nil {
		return err
	}
	a.access.Declare(d)
	if a.data != nil {
		a.books.budgets.reload(c.SpendingLimits())
	}
	a.use(r)
	a.config, a.printed = c, printed
	return nil
}

// use puts routes in force.
func (a *App) use(r *routes) {
	a.gateway.Reload(r)
	a.health.Keep(r.providers)
	a.routes.Store(r)
}

// fixed reports what of the new config would need a restart.
func fixed(old, c *config.Config) error {
	var problems config.Problems
	hold := func(path string, have, want any) {
		if have != want {
			problems = append(problems, c.Problem(path, fmt.Sprintf("%s: got %v, want %v: this cannot change while the gateway runs", path, want, have),
				"restart it to change this"))
		}
	}
	hold("listen", old.Listen, c.Listen)
	hold("admin", old.Admin, c.Admin)
	hold("data", old.DataFolder(), c.DataFolder())
	hold("store", old.Store, c.Store)
	hold("redis", old.Redis, c.Redis)
	hold("access.secret", old.Access.Secret, c.Access.Secret)
	hold("limits.body", old.Limits.Body, c.Limits.Body)
	hold("limits.body_timeout", old.Limits.BodyTimeout, c.Limits.BodyTimeout)
	hold("limits.heartbeat", old.Limits.Heartbeat, c.Limits.Heartbeat)
	hold("limits.write_timeout", old.Limits.WriteTimeout, c.Limits.WriteTimeout)
	hold("limits.memory", old.Limits.Memory, c.Limits.Memory)
	hold("telemetry.otlp", old.Telemetry.OTLP, c.Telemetry.OTLP)
	hold("telemetry.share", old.Telemetry.Share, c.Telemetry.Share)
	hold("limits.rescue", old.Limits.Rescue, c.Limits.Rescue)
	hold("limits.calls", old.Limits.Calls, c.Limits.Calls)
	return problems.Err()
}

// watchInterval is how often the file is looked at.
const watchInterval = 500 * time.Millisecond

// Watch reloads the config from the file it came from when its content changes, and
// whenever something comes over now, until ctx ends. A file that is no good is
// logged and leaves the old config in force. The content counts, not the time, since
// editors and orchestrators replace files in many ways; and only content that is
// seen twice, since a file may be looked at while it is being written. Keys that stand in files of their own are
// read again likewise, as where a mounted secret is replaced. Commands whose key says every are run when it is time;
// while one runs, nothing else is looked at.
func (a *App) Watch(ctx context.Context, now <-chan os.Signal) {
	path := a.current().File()
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	file := watched{tried: a.current().Sum()}
	keys := watched{tried: a.keysRead}
	reload := func() {
		file.tried, keys.tried = a.reloadFile(ctx, path)
		file.seen = file.tried
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-now:
			if path == "" {
				a.opts.Log.Warn("nothing to reload: there is no config file")
				continue
			}
			if isPipe(path) {
				a.opts.Log.Error("config not reloaded, the old one stays in force", "error", path+": is a pipe, which can be read once")
				continue
			}
			reload()
		case <-ticker.C:
			sum, ok := sumOf(path)
			if file.isNew(sum) && ok {
				reload()
			}
			if sum := sumOfKeys(a.current()); keys.isNew(sum) {
				keys.tried = sum
				a.readKeys()
			}
			a.runDue(ctx)
		}
	}
}

// watched is a text that is looked at again and again.
type watched struct{ tried, seen [sha256.Size]byte }

// isNew reports whether what is seen now is another text than the one in force, and was seen before.
func (w *watched) isNew(sum [sha256.Size]byte) bool {
	isNew := sum != w.tried && sum == w.seen
	w.seen = sum
	return isNew
}

// readKeys puts keys in force that stand in files.
func (a *App) readKeys() {
	if err := a.enforce(a.inForce()); err != nil {
		a.opts.Log.Error("keys not read again, the old ones stay in force", "error", err.Error())
		return
	}
	a.opts.Log.Info("keys read again, since their files have changed")
}

// sumOfKeys sums up the files that keys of providers, clients and administrators are in, and those that are missing.
func sumOfKeys(c *config.Config) [sha256.Size]byte {
	var all []byte
	for _, k := range keysOf(c) {
		if k.File == "" || isPipe(k.File) {
			continue
		}
		sum, ok := sumOf(k.File)
		if ok {
			all = append(all, 1)
		}
		all = append(all, sum[:]...)
	}
	return sha256.Sum256(all)
}

// keysOf lists where keys of providers, clients and administrators are.
func keysOf(c *config.Config) []config.Key {
	var keys []config.Key
	for i := range c.Providers {
		keys = append(keys, c.Providers[i].Key)
		for _, k := range c.Providers[i].Keys {
			keys = append(keys, k.Key)
		}
	}
	for i := range c.Access.Keys {
		keys = append(keys, c.Access.Keys[i].Key)
	}
	for _, a := range c.Access.Administrators {
		keys = append(keys, a.Token)
	}
	return keys
}

// reloadFile reloads once and returns the sums of what it found, and of the keys with it.
func (a *App) reloadFile(ctx context.Context, path string) (file, keys [sha256.Size]byte) {
	file, _ = sumOf(path)
	keys = sumOfKeys(a.current())
	c, err := Load(path, a.opts.Env)
	if err == nil {
		keys = sumOfKeys(c)
		err = a.Reload(ctx, c)
	}
	if ctx.Err() != nil {
		return file, keys // it is to end, and its commands have
	}
	if err != nil {
		a.opts.Log.Error("config not reloaded, the old one stays in force", "error", err.Error())
		return file, keys
	}
	a.opts.Log.Info("config reloaded", "file", path)
	return c.Sum(), keys
}

// isPipe reports whether the config comes through a pipe, as a shell's <(command)
// does. To open it again would wait for a writer that never comes.
func isPipe(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// sumOf sums up a file's content; not when there is none, as in the moment between
// its removal and its return.
func sumOf(path string) (sum [sha256.Size]byte, ok bool) {
	if isPipe(path) {
		return sum, false
	}
	f, err := os.Open(path)
	if err != nil {
		return sum, false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, 2<<20)); err != nil {
		return sum, false
	}
	return [sha256.Size]byte(h.Sum(nil)), true
}
