package app

import (
	"fmt"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/store/redis"
)

// openRates counts what keys have by the minute: with other gateways, if the config says where.
func (a *App) openRates(c *config.Config) (gateway.Rates, error) {
	if c.Redis == "" {
		return nil, nil //nolint:nilnil // the gateway counts in memory
	}
	address, err := addressOf(c, c.Redis, a.opts.Env)
	if err == nil {
		a.rates, err = redis.Open(address, a.opts.Log)
	}
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return a.rates, nil
}
