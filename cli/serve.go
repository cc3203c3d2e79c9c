package cli

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/understudy-ai/understudy/app"
)

type serveCommand struct{ configFlag }

// Help shows how serve is used.
func (serveCommand) Help() string {
	return "The config file is read again when it changes and on SIGHUP; a mistake in it leaves the old one in force. " +
		"SIGTERM and SIGINT take no new connections, after a farewell of up to two seconds, and let running calls finish within the drain time; " +
		"a second one ends them within five seconds.\n\n" +
		"Variables:\n\n" + strings.Join(variables(), "\n") + "\n\n" +
		examples("OPENAI_API_KEY=... understudy serve", "understudy serve --config understudy.yaml")
}

// variables says what is read of the environment, beside what the config names.
func variables() []string {
	return []string{
		"  OPENAI_API_KEY, ...          the providers' keys, each in the variable that",
		"                               understudy models --all shows; without a config",
		"                               file those that are set enable their providers",
		"  UNDERSTUDY_ADMIN_TOKEN       the admin token, for commands that ask serve",
		"  HTTPS_PROXY, HTTP_PROXY, NO_PROXY",
		"                               the proxy to providers",
		"  SSL_CERT_FILE, SSL_CERT_DIR  the certificates that providers are held to",
		"  LISTEN_FDS, LISTEN_PID       sockets that a supervisor hands over",
		"  OTEL_EXPORTER_OTLP_HEADERS   headers for telemetry.otlp: name=value,...",
		"  AWS_ACCESS_KEY_ID, ...       a cloud's own, where a provider's credential is",
		"  AZURE_TENANT_ID, ...         one of that cloud, as its SDKs read them",
		"  GOOGLE_APPLICATION_CREDENTIALS, CLOUDSDK_CONFIG, GCE_METADATA_HOST",
		"                               likewise",
		"  PGPASSFILE, PGSSLMODE, ...   PostgreSQL's own, for what store does not say",
		"  GOMEMLIMIT, GOGC, GOMAXPROCS the Go runtime's; what they say goes",
		"  NO_COLOR, TERM=dumb          no colours; no picture that is redrawn",
	}
}

// Run serves until it is told to stop.
func (c serveCommand) Run(s *session) error {
	s.started() // what the start makes would be kept: idle, a gateway has nothing to collect it for
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)

	signal.Ignore(syscall.SIGPIPE) // whoever reads the log may go before the calls are over

	quietLibraries(s.log)
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	a, err := app.New(app.Options{Config: conf, Log: s.log, Version: readVersion().number})
	if err != nil {
		return err
	}
	starting := make(chan error, 1)
	begin, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	go func() { starting <- a.Start(begin) }()
	select {
	case err = <-starting:
	case sig := <-stop:
		giveUp() // commands end with it
		select {
		case err = <-starting:
			stop <- sig
		case <-time.After(startGrace): // it waits for a database; to the data folder this is as if the program were killed
			err = context.Canceled
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		s.log.Info("stopped before it had started")
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w\nhint: another program listens there, maybe a gateway; listen and admin in the config name other addresses", err)
	case err != nil:
		return err
	}
	if err := s.showToken(a); err != nil {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		return errors.Join(err, a.DropToken(), a.Stop(now))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { a.Watch(ctx, reload) })
	running.Go(func() { easeCollector(ctx) })
	running.Go(func() { calmMonitor(ctx) })
	boundMemory(app.MemoryLimit(conf))
	<-stop

	draining, hurry := context.WithCancel(ctx)
	defer hurry()
	running.Go(func() {
		select {
		case <-stop:
			hurry()
		case <-draining.Done():
		}
	})
	return a.Stop(draining)
}

// startGrace is how long a start may go on that is to be stopped.
const startGrace = time.Second

// showToken shows the admin token, if it was made now. Where the standard output goes where the log does it would be in the log, and
// where it goes nowhere, lost: then it is put into a file, if there is a folder for one.
func (s *session) showToken(a *app.App) error {
	token := a.AdminToken()
	if token == "" {
		return nil
	}
	if isSameFile(s.out, s.err) || isNull(s.out) {
		path, err := a.KeepToken()
		if err != nil {
			return err
		}
		if path != "" {
			s.log.Info("the admin token is in a file, since what is printed would be in the log, or lost; read it, and remove the file", "file", path)
			return nil
		}
	}
	if _, err := fmt.Fprintf(s.out, "The admin token, shown this once: %s\nCommands that ask this gateway take it from %s.\n", token, tokenEnv); err != nil {
		return fmt.Errorf("show the admin token: %w", err)
	}
	return nil
}

// quietLibraries sends what libraries have to say on their own into the log, where nobody who does not look for it sees
// it: of frames that a vendor may not send, net/http writes a line for each.
func quietLibraries(to *slog.Logger) {
	library := slog.NewLogLogger(to.Handler(), slog.LevelDebug)
	log.SetFlags(0)                 //nolint:forbidigo // it is the libraries' that is set
	log.SetOutput(library.Writer()) //nolint:forbidigo // as above
}
