package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/demo"
)

type demoCommand struct {
	Duration time.Duration `help:"How long vendors are broken and mended, drilled and evacuated, 5s to 1h." default:"18s"`
	Keep     bool          `help:"Stay up afterwards, and print what to paste to try it." xor:"after"`
	JSON     bool          `help:"Write JSON: what the applications saw." xor:"after"`
}

// Help shows how demo is used.
func (demoCommand) Help() string {
	return "Starts two simulated vendors, the gateway, and applications for both vendors' APIs, and breaks the vendors in one way after another. " +
		"Needs no key and no network. Exits with 1 if an application saw a failure.\n\n" +
		examples("understudy demo", "understudy demo --keep", "understudy demo --duration 1m --json")
}

// Run runs the demo.
func (c demoCommand) Run(s *session) error {
	if c.Duration < demo.MinDuration || c.Duration > demo.MaxDuration {
		return usageError{"--duration: got " + config.FormatDuration(c.Duration) + ", want " + config.FormatDuration(demo.MinDuration) + " to " + config.FormatDuration(demo.MaxDuration)}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	_, err := demo.Run(ctx, demo.Options{
		Duration: c.Duration, Keep: c.Keep, JSON: c.JSON,
		Out: s.out, Terminal: canRedraw && isTerminal(s.out) && os.Getenv("TERM") != "dumb", Color: hasColor(s.out), Width: func() int { return columns(s.out) },
	})
	return err
}
