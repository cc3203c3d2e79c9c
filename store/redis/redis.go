// Package redis lets several gateways count together what callers have by the minute and at once. Redis is a cache: while
// it does not answer at once, each gateway counts for itself, and when it has forgotten everything, every caller has a
// minute's again, and what runs is counted anew within seconds.
// It speaks as much of Redis's protocol as that takes.
package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // Redis names scripts so
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/gateway"
)

var _ gateway.Rates = (*Rates)(nil)

const (
	// patience is how long a call waits for Redis, and before that for those in front of it: longer than one that is well takes.
	patience = 50 * time.Millisecond
	// probeEvery is how often one that failed is tried again, by nobody's call.
	probeEvery = 500 * time.Millisecond
	// maxConnections is how many calls ask at once; others wait until they may.
	maxConnections = 16
)

// prefix begins the names of buckets in Redis.
const prefix = "understudy:rate:"

// script is what Redis is to do on one key.
type script struct{ text, sha string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // Redis names scripts so
	return script{text, hex.EncodeToString(sum[:])}
}

// drawing takes from a bucket: access.Rates.Draw by Redis's clock, in microseconds.
const drawing = `local t = redis.call('TIME')
local now, minute = t[1] * 1000000 + t[2], 60000000
local missing = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') - now, 0)
local cost = tonumber(ARGV[1])
if ARGV[2] ~= '1' and missing + math.min(cost, minute) > minute then return {0, math.floor(missing)} end
missing = math.max(missing + cost, 0)
redis.call('SET', KEYS[1], string.format('%.0f', now + missing), 'PX', math.ceil(missing / 1000) + 1)
return {1, math.floor(missing)}`

// Rates counts in Redis. Close it.
type Rates struct {
	address  string
	user     string
	password string
	database string
	tls      *tls.Config
	log      *slog.Logger
	drawing  script
	entering script
	node     string // tells this gateway's places from others'
	lasting  time.Duration

	alone  access.Rates // while Redis does not answer
	inside inside
	failed atomic.Bool
	idle   chan *conn
	places chan struct{}
	stop   chan struct{}
	once   sync.Once
	trying sync.WaitGroup
}

// Open makes Rates of a URL: redis://user:password@host:port/database, or rediss:// with TLS. It does not wait for Redis.
func Open(address string, log *slog.Logger) (*Rates, error) {
	return open(address, log, placeTime)
}

// open is Open; a place outlasts its gateway by lasting.
func open(address string, log *slog.Logger, lasting time.Duration) (*Rates, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Host == "" {
		return nil, errors.New("the address is no URL of a Redis server, such as redis://127.0.0.1:6379/0") // the error would quote it
	}
	r := &Rates{
		address: u.Host, user: u.User.Username(), database: strings.Trim(u.Path, "/"), log: log,
		drawing: newScript(drawing), entering: newScript(entering), node: rand.Text() + ":", lasting: lasting,
		idle: make(chan *conn, maxConnections), places: make(chan struct{}, maxConnections), stop: make(chan struct{}),
	}
	r.password, _ = u.User.Password()
	if u.Port() == "" {
		r.address = net.JoinHostPort(u.Hostname(), "6379")
	}
	if u.Scheme == "rediss" {
		r.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	r.trying.Go(r.renew)
	return r, nil
}

// Close ends all connections.
func (r *Rates) Close() {
	r.once.Do(func() { close(r.stop) })
	r.trying.Wait()
	for {
		select {
		case c := <-r.idle:
			_ = c.conn.Close() // nothing is lost with it
		default:
			return
		}
	}
}

// Draw takes what is wanted, all or nothing. What Redis grants is counted here, too: should it be gone, this gateway goes on from
// there, and not from a minute's.
func (r *Rates) Draw(ctx context.Context, d access.Draw) access.Level {
	var level access.Level
	asked := r.whileWell(func() (err error) {
		level, err = r.draw(d)
		return err
	})
	if !asked {
		return r.alone.Draw(ctx, d)
	}
	if level.OK {
		d.Owed = true
		r.alone.Draw(ctx, d)
	}
	return level
}

// whileWell asks Redis for something, if it is well, and reports whether that was done.
func (r *Rates) whileWell(do func() error) bool {
	if r.failed.Load() || !r.turn() {
		return false
	}
	defer func() { <-r.places }()
	if r.failed.Load() { // meanwhile
		return false
	}
	if err := do(); err != nil {
		r.fail(err)
		return false
	}
	return true
}

// turn waits until the call may ask. Where that takes too long, Redis does.
func (r *Rates) turn() bool {
	select {
	case r.places <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case r.places <- struct{}{}:
		return true
	case <-late.C:
		r.fail(errors.New("too many calls wait for it"))
		return false
	}
}

func (r *Rates) draw(d access.Draw) (access.Level, error) {
	owed := "0"
	if d.Owed {
		owed = "1"
	}
	cost := d.Cost()
	micros := strconv.FormatInt(cost.Microseconds(), 10)
	got, err := r.run(r.drawing, 2, prefix+d.Name, micros, owed)
	if err != nil {
		return access.Level{}, err
	}
	return d.LevelAt(time.Duration(got[1])*time.Microsecond, cost, got[0] == 1), nil
}

// run has Redis do a script on a key, and returns as many numbers as it is to answer.
func (r *Rates) run(s script, numbers int, key string, args ...string) ([]int64, error) {
	got, err := r.ask(append([]string{"EVALSHA", s.sha, "1", key}, args...)...)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		got, err = r.ask(append([]string{"EVAL", s.text, "1", key}, args...)...)
	}
	if err == nil && len(got) != numbers {
		err = fmt.Errorf("got %d numbers, want %d", len(got), numbers)
	}
	return got, err
}

// fail goes on without Redis until it answers.
func (r *Rates) fail(err error) {
	if !r.failed.CompareAndSwap(false, true) {
		return
	}
	r.log.Warn("Redis does not answer; this gateway counts for itself what callers have by the minute and at once", "error", err.Error())
	r.trying.Go(r.mend)
}

// mend tries a Redis that failed until it answers.
func (r *Rates) mend() {
	for {
		select {
		case <-r.stop:
			return
		case <-time.After(probeEvery):
		}
		if _, err := r.ask("PING"); err == nil && r.tell() == nil {
			r.log.Info("Redis answers again")
			r.failed.Store(false)
			return
		}
	}
}

// ask sends a command and reads the answer, on a connection of the pool. A connection that failed is not used again.
func (r *Rates) ask(words ...string) ([]int64, error) {
	deadline := time.Now().Add(patience)
	var c *conn
	select {
	case c = <-r.idle:
	default:
		var err error
		if c, err = r.dial(deadline); err != nil {
			return nil, err
		}
	}
	got, err := c.do(deadline, words...)
	var said replyError
	if err != nil && !errors.As(err, &said) {
		_ = c.conn.Close() // the error tells of more
		return nil, err
	}
	select {
	case r.idle <- c:
	default:
		_ = c.conn.Close() // there are enough
	}
	return got, err
}

func (r *Rates) dial(deadline time.Time) (*conn, error) {
	dialer := net.Dialer{Deadline: deadline}
	var nc net.Conn
	var err error
	if r.tls != nil {
		nc, err = tls.DialWithDialer(&dialer, "tcp", r.address, r.tls)
	} else {
		nc, err = dialer.Dial("tcp", r.address)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to Redis: %w", err)
	}
	c := newConn(nc)
	var hello [][]string
	switch {
	case r.user != "" && r.password != "":
		hello = append(hello, []string{"AUTH", r.user, r.password})
	case r.password != "":
		hello = append(hello, []string{"AUTH", r.password})
	}
	if r.database != "" {
		hello = append(hello, []string{"SELECT", r.database})
	}
	for _, words := range hello {
		if _, err := c.do(deadline, words...); err != nil {
			_ = nc.Close() // the error tells of more
			return nil, fmt.Errorf("%s: %w", strings.ToLower(words[0]), err)
		}
	}
	return c, nil
}
