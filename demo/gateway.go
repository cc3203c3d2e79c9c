package demo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/understudy-ai/understudy/admin/client"
	"github.com/understudy-ai/understudy/app"
	"github.com/understudy-ai/understudy/config"
)

// stopTime bounds how long the gateway may take to stop; nothing is running by then.
const stopTime = 5 * time.Second

// gateway is the one that serve runs, in this process.
type gateway struct {
	app      *app.App
	url      string
	conf     *config.Config
	operator *client.Client // of its admin API
}

// startGateway serves the stage's config. Stop what it returns.
func startGateway(ctx context.Context, st *stage, log *slog.Logger) (*gateway, error) {
	conf, err := app.Load(st.configPath(), nil)
	if err != nil {
		return nil, fmt.Errorf("load the demo's config: %w", err)
	}
	a, err := app.New(app.Options{Config: conf, Log: log})
	if err != nil {
		return nil, fmt.Errorf("build the gateway: %w", err)
	}
	if err := a.Start(ctx); err != nil {
		return nil, fmt.Errorf("start the gateway: %w", err)
	}
	return &gateway{app: a, url: "http://" + a.Addr(), conf: conf, operator: client.New(a.AdminAddr(), a.AdminToken())}, nil
}

// reload puts the stage's config in force again.
func (g *gateway) reload(ctx context.Context, st *stage) error {
	conf, err := app.Load(st.configPath(), nil)
	if err != nil {
		return fmt.Errorf("load the demo's config: %w", err)
	}
	if err := g.app.Reload(ctx, conf); err != nil {
		return fmt.Errorf("reload the demo's config: %w", err)
	}
	return nil
}

// stop lets the last answers end even when ctx has.
func (g *gateway) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	g.operator.Close()
	if err := g.app.Stop(ctx); err != nil {
		return fmt.Errorf("stop the gateway: %w", err)
	}
	return nil
}
