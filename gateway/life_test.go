package gateway

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errOver = errors.New("over")

// A life is a context like those of the standard library, which can be made of it.
func TestLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l life
		child, cancel := context.WithTimeout(&l, time.Hour)
		defer cancel()
		called := make(chan string, 3)
		l.AfterFunc(func() { called <- "after" })
		context.AfterFunc(&l, func() { called <- "context's" })
		stopped := l.AfterFunc(func() { called <- "stopped" })
		if !stopped() || stopped() {
			t.Error("got no stop, or two, want one")
		}
		if l.Err() != nil || child.Err() != nil || len(called) > 0 {
			t.Fatalf("got %v and %v before the end, want nothing", l.Err(), child.Err())
		}
		l.end(errOver)
		l.end(errors.New("again"))
		synctest.Wait()
		<-l.Done()
		<-child.Done()
		for name, err := range map[string]error{
			"Err": l.Err(), "Cause": context.Cause(&l), "a child's Cause": context.Cause(child),
		} {
			if !errors.Is(err, errOver) {
				t.Errorf("%s: got %v want %v", name, err, errOver)
			}
		}
		if len(called) != 2 {
			t.Errorf("got %d calls after the end, want 2", len(called))
		}
		if stop := l.AfterFunc(func() { called <- "late" }); stop() {
			t.Error("got a stop after the end, want none")
		}
		synctest.Wait()
		if len(called) != 3 {
			t.Error("got no call of what came after the end, want one")
		}
	})
}

// What is within a life ends with it, or by itself.
func TestLifeWithin(t *testing.T) {
	t.Parallel()
	var l life
	var first, second, third, late life
	l.begin(&first)
	l.begin(&second)
	first.end(errOver)
	first.over()
	if !errors.Is(first.Err(), errOver) || l.Err() != nil || second.Err() != nil {
		t.Errorf("got %v, around it %v, beside it %v; want an end of its own", first.Err(), l.Err(), second.Err())
	}
	l.begin(&third)
	third.over()
	if !errors.Is(third.Err(), context.Canceled) || len(l.within) != 1 {
		t.Errorf("got %v, and %d lives within, want one that is over and one that is not", third.Err(), len(l.within))
	}
	l.end(errOver)
	if l.begin(&late); !errors.Is(second.Err(), errOver) || !errors.Is(late.Err(), errOver) {
		t.Errorf("got %v and, begun later, %v, want both over", second.Err(), late.Err())
	}
}

func TestLifeRaces(t *testing.T) {
	t.Parallel()
	for range 200 {
		var l life
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				var within life
				l.begin(&within)
				stop := within.AfterFunc(func() {})
				<-within.Done()
				stop()
				within.over()
			})
		}
		wg.Go(func() { l.end(errOver) })
		wg.Wait()
	}
}

// Shut down, a gateway ends the calls that run and those that come.
func TestRunning(t *testing.T) {
	t.Parallel()
	var r running
	calls := []*call{{}, {}, {}}
	for _, c := range calls {
		r.add(c)
	}
	r.remove(calls[1])
	if got := r.count(); got != 2 {
		t.Errorf("got %d calls want 2", got)
	}
	r.end(errShutdown)
	late := &call{}
	r.add(late)
	for i, c := range append(calls, late) {
		if ended := c.ctx.Err() != nil; ended != (i != 1) {
			t.Errorf("call %d: got ended %v", i, ended)
		}
		if i != 1 {
			r.remove(c)
		}
	}
	if r.count() != 0 || r.first != nil {
		t.Errorf("got %d calls, want none", r.count())
	}
}
