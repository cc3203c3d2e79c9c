package cli

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/understudy-ai/understudy/app"
)

type serveCommand struct{ configFlag }

// Help shows how serve is used.
func (serveCommand) Help() string {
	return "The config file is read again when it changes and on SIGHUP; a mistake in it leaves the old one in force. " +
		"SIGTERM and SIGINT take no new connections, after a farewell of up to two seconds, and let running calls finish within the drain time; " +
		"a second one ends them within five seconds.\n\n" +
		examples("OPENAI_API_KEY=... understudy serve", "understudy serve --config understudy.yaml")
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

	quietLibraries(s.log)
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	a, err := app.New(app.Options{Config: conf, Log: s.log, Version: readVersion().number})
	if err != nil {
		return err
	}
	if err := a.Start(); errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nhint: another program listens there, maybe a gateway; listen and admin in the config name other addresses", err)
	} else if err != nil {
		return err
	}
	if token := a.AdminToken(); token != "" {
		fmt.Fprintf(s.out, "The admin token, shown this once: %s\nCommands that ask this gateway take it from %s.\n", token, tokenEnv)
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

// quietLibraries sends what libraries have to say on their own into the log, where nobody who does not look for it sees
// it: of frames that a vendor may not send, net/http writes a line for each.
func quietLibraries(to *slog.Logger) {
	library := slog.NewLogLogger(to.Handler(), slog.LevelDebug)
	log.SetFlags(0)                 //nolint:forbidigo // it is the libraries' that is set
	log.SetOutput(library.Writer()) //nolint:forbidigo // as above
}
