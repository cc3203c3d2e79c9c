package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// target is where load goes and what is expected back.
type target struct {
	name    string
	address string
	plan    *scenario
	request message
	exact   bool
}

func (t *target) dial(ctx context.Context) (*client, error) {
	c, err := dial(ctx, t.address, t.plan, t.request)
	if err != nil {
		return nil, t.wrong(err)
	}
	c.exact = t.exact
	return c, nil
}

func (t *target) wrong(err error) error { return fmt.Errorf("%s, %s: %w", t.plan.name, t.name, err) }

// verify sends one request and takes the answer apart.
func (t *target) verify(ctx context.Context) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.do(time.Now()); err != nil {
		return t.wrong(err)
	}
	if err := t.plan.client.verify(c.body, t.plan.stream); err != nil {
		return t.wrong(err)
	}
	return nil
}

// connect opens connections that stay open between rounds.
func (t *target) connect(ctx context.Context, n int) ([]*client, error) {
	var all []*client
	for range n {
		c, err := t.dial(ctx)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.close()
	}
}

// busy keeps every connection busy for d and returns how many answers came. None is
// outstanding when it returns.
func (t *target) busy(clients []*client, d time.Duration) (int, error) {
	var count atomic.Int64
	stop := time.Now().Add(d)
	err := each(clients, func(c *client) error {
		for now := time.Now(); ; { // once at least, however late this one comes to it
			if _, err := c.do(now); err != nil {
				return err
			}
			count.Add(1)
			if now = time.Now(); !now.Before(stop) {
				return nil
			}
		}
	})
	if err != nil {
		return 0, t.wrong(err)
	}
	return int(count.Load()), nil
}

// paced sends n requests at a rate, whether or not earlier ones are answered. A
// request's time counts from when it was due to be sent, so one that has to wait
// for a free connection is charged for the wait. The lateness of the generator's
// own clock is not charged to anyone.
func (t *target) paced(clients []*client, rate float64, n int) ([]timing, error) {
	due := make(chan time.Time, n)
	results := make([]timing, n)
	var next atomic.Int64
	go func() {
		defer close(due)
		begin := time.Now()
		for i := range n {
			time.Sleep(time.Until(begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
			due <- time.Now()
		}
	}()
	err := each(clients, func(c *client) error {
		for begin := range due {
			took, err := c.do(begin)
			if err != nil {
				return err
			}
			results[next.Add(1)-1] = took
		}
		return nil
	})
	if err != nil {
		return nil, t.wrong(err)
	}
	return results, nil
}

// each runs f for all clients at once and returns the first error.
func each(clients []*client, f func(*client) error) error {
	var wg sync.WaitGroup
	var first error
	var once sync.Once
	for _, c := range clients {
		wg.Go(func() {
			if err := f(c); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	wg.Wait()
	return first
}
