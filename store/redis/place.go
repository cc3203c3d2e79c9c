package redis

import (
	"strconv"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/access"
)

// A call that runs is a member of its key's set, until a time that its gateway moves on while it runs. So what a
// gateway had running when it died is counted placeTime longer, and what Redis has forgotten comes back with the next
// renewal.
const (
	placeTime = 10 * time.Second
	renewals  = 4 // in that time
)

// placePrefix begins the names of sets of calls in Redis.
const placePrefix = "understudy:running:"

// entering takes places in a set, all or none: a time in milliseconds, how many may be in it (0 is any number), and the
// members.
const entering = `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local most = tonumber(ARGV[2])
if most > 0 and redis.call('ZCARD', KEYS[1]) >= most then return {0} end
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {1}`

// inside is what this gateway has running.
type inside struct {
	mu    sync.Mutex
	last  int64
	calls map[string]map[int64]bool // ids, by key
	gone  map[string][]int64        // that Redis could not be told of yet
}

// maxGone bounds what is remembered of calls that are over. What is forgotten ends in Redis by itself.
const maxGone = 10_000

func (i *inside) next() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last++
	return i.last
}

func (i *inside) add(p access.Place) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.calls == nil {
		i.calls = map[string]map[int64]bool{}
	}
	if i.calls[p.Key] == nil {
		i.calls[p.Key] = map[int64]bool{}
	}
	i.calls[p.Key][p.ID] = true
}

func (i *inside) remove(p access.Place) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.calls[p.Key], p.ID)
	if len(i.calls[p.Key]) == 0 {
		delete(i.calls, p.Key)
	}
}

// owe remembers that Redis is to be told that places were left.
func (i *inside) owe(key string, ids ...int64) {
	if len(ids) == 0 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone == nil || len(i.gone) > maxGone || len(i.gone[key])+len(ids) > maxGone {
		i.gone = map[string][]int64{}
	}
	i.gone[key] = append(i.gone[key], ids...)
}

// all returns what runs, and what is over that Redis was not told of, which it then forgets.
func (i *inside) all() (calls, gone map[string][]int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	calls = map[string][]int64{}
	for key, ids := range i.calls {
		for id := range ids {
			calls[key] = append(calls[key], id)
		}
	}
	gone, i.gone = i.gone, nil
	return calls, gone
}

// over returns those ids that do not run any more.
func (i *inside) over(key string, ids []int64) (over []int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, id := range ids {
		if !i.calls[key][id] {
			over = append(over, id)
		}
	}
	return over
}

// Enter takes a place among the calls of a key that run on all gateways.
func (r *Rates) Enter(key string, most int64) (access.Place, bool) {
	p, ok := r.alone.Enter(key, most)
	if !ok {
		return p, false
	}
	p.ID = r.inside.next()
	if !r.enter(p, most) {
		r.alone.Leave(p)
		return access.Place{}, false
	}
	r.inside.add(p)
	return p, true
}

// enter asks Redis for a place. While it cannot be asked there is one.
func (r *Rates) enter(p access.Place, most int64) bool {
	ok := true
	r.whileWell(func() error {
		got, err := r.run(r.entering, 1, placePrefix+p.Key, milliseconds(r.lasting), strconv.FormatInt(most, 10), r.member(p.ID))
		ok = err != nil || got[0] == 1
		return err
	})
	return ok
}

// Leave gives a place back.
func (r *Rates) Leave(p access.Place) {
	r.alone.Leave(p)
	r.inside.remove(p)
	if !r.whileWell(func() error { return r.drop(p.Key, []int64{p.ID}) }) {
		r.inside.owe(p.Key, p.ID)
	}
}

func (r *Rates) member(id int64) string { return r.node + strconv.FormatInt(id, 36) }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// membersAtOnce bounds the members of one command.
const membersAtOnce = 500

// each calls do with the members of ids, some at a time.
func (r *Rates) each(ids []int64, do func(members []string) error) error {
	for len(ids) > 0 {
		n := min(len(ids), membersAtOnce)
		members := make([]string, n)
		for i, id := range ids[:n] {
			members[i] = r.member(id)
		}
		if err := do(members); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (r *Rates) drop(key string, ids []int64) error {
	return r.each(ids, func(members []string) error {
		_, err := r.ask(append([]string{"ZREM", placePrefix + key}, members...)...)
		return err
	})
}

// renew tells Redis from time to time what runs here.
func (r *Rates) renew() {
	ticker := time.NewTicker(r.lasting / renewals)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
		}
		if r.failed.Load() {
			continue // it is told when it is back
		}
		if err := r.tell(); err != nil {
			r.fail(err)
		}
	}
}

// tell says what runs here, and what is over. A call may end while it is said that it runs: then that is taken back.
func (r *Rates) tell() error {
	calls, gone := r.inside.all()
	for key, ids := range gone {
		if err := r.drop(key, ids); err != nil {
			for key, ids := range gone {
				r.inside.owe(key, ids...)
			}
			return err
		}
	}
	for key, ids := range calls {
		err := r.each(ids, func(members []string) error {
			_, err := r.run(r.entering, 1, placePrefix+key, append([]string{milliseconds(r.lasting), "0"}, members...)...)
			return err
		})
		if err == nil {
			err = r.drop(key, r.inside.over(key, ids))
		}
		if err != nil {
			r.inside.owe(key, r.inside.over(key, ids)...)
			return err
		}
	}
	return nil
}
