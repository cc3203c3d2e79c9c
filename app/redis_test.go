package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// cache is a Redis server of the test's own.
type cache struct {
	t       *testing.T
	port    string
	process *exec.Cmd
}

func startCache(t *testing.T) *cache {
	t.Helper()
	if os.Getenv("UNDERSTUDY_REDIS") == "" {
		t.Skip("skipped: it needs a Redis server of its own, which `.ci/run store` installs")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	c := &cache{t: t, port: port}
	c.start()
	t.Cleanup(c.kill)
	return c
}

func (c *cache) start() {
	c.t.Helper()
	c.process = exec.Command("redis-server", "--port", c.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	c.process.Dir = c.t.TempDir()
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	for until := time.Now().Add(10 * time.Second); !c.says("PING"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			c.t.Fatal("got no answer of redis-server, want one")
		}
	}
}

// says reports whether the server answers a command.
func (c *cache) says(command string) bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+c.port, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, err = io.WriteString(conn, command+"\r\n")
	answer := make([]byte, 1)
	if err == nil {
		_, err = conn.Read(answer)
	}
	return err == nil && answer[0] == '+'
}

func (c *cache) kill() {
	_ = c.process.Process.Kill()
	_ = c.process.Wait() // with the signal
}

func (c *cache) url() string { return "redis://127.0.0.1:" + c.port }

// sharing is a config of one of several gateways: a call costs a cent of the provider's budget, and the key has limits.
func sharing(store, redis, name, vendor, budget string) string {
	return fmt.Sprintf(`data: ./data
store: %s
redis: %s
access:
  secret: env:ACCESS_SECRET
  keys: {%s: {key: env:WEB_KEY, models: ["*"], limits: {requests_per_minute: 100000, concurrent: 3}}}
providers:
  %s: {base_url: %s/v1, key: none, auth: none, dialects: {openai-chat: /chat/completions}, models: [{id: m, price: {input: 0, output: 1000}}]}
budgets: [{account: "provider:%s", period: ever, most: %s USD}]`, store, redis, name, name, vendor, name, budget)
}

// TestBudgetsWithoutRedisK8 has Redis flushed, started empty and gone while clients spend a budget of two gateways until there
// is nothing left: it is spent to the last cent and no further, and the ledger has what the vendor had.
func TestBudgetsWithoutRedisK8(t *testing.T) {
	postgres := os.Getenv("UNDERSTUDY_POSTGRES")
	if postgres == "" {
		t.Skip("skipped: no PostgreSQL server; its URL would be in UNDERSTUDY_POSTGRES, as `.ci/run store` sets it")
	}
	c := startCache(t)
	v := newTill(t)
	close(v.open)
	name := fmt.Sprintf("v%d", time.Now().UnixNano())
	const room = 300
	text := sharing(postgres, c.url(), name, v.server.URL, "3.009")
	conf := parse(t, text, nil)
	apps := []*App{start(t, conf, &lockedBuffer{}), start(t, parse(t, text, nil), &lockedBuffer{})}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 6 {
		clients.Go(func() {
			client := newClient(t)
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				if status := callAs(t, client, apps[i%2], name+"/m"); status != http.StatusOK && status != http.StatusTooManyRequests {
					t.Errorf("got status %d, want an answer, or a limit's refusal", status)
				}
			}
		})
	}
	for _, fault := range []func(){func() { c.says("FLUSHALL") }, c.kill, c.start, func() { c.says("FLUSHALL") }, c.kill, c.start} {
		time.Sleep(300 * time.Millisecond)
		fault()
	}
	for until := time.Now().Add(20 * time.Second); v.had.Load() < room && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond)
	close(stop)
	clients.Wait()
	for _, a := range apps {
		if err := errors.Join(a.SyncLedger(t.Context()), a.Stop(context.Background())); err != nil {
			t.Fatal(err)
		}
	}
	if had := v.had.Load(); had != room {
		t.Errorf("got %d calls at the vendor, want %d: what the budget has room for", had, room)
	}
	r, err := VerifyLedger(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) > 0 {
		t.Errorf("verify: got %v, want no problem", r.Problems)
	}
}

// callAs makes a call with a key, and returns the status.
func callAs(t *testing.T, client *http.Client, a *App, model string) int {
	shown, _ := env("WEB_KEY")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+"/v1/chat/completions",
		strings.NewReader(`{"model": "`+model+`", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}`))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+shown)
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestAtOnceTogether has two gateways count together how many calls of a key run, and each for itself without Redis.
func TestAtOnceTogether(t *testing.T) {
	address := os.Getenv("UNDERSTUDY_REDIS")
	if address == "" {
		t.Skip("skipped: no Redis server; its URL would be in UNDERSTUDY_REDIS, as `.ci/run store` sets it")
	}
	for _, tc := range []struct {
		redis string
		want  int64
	}{{address, 3}, {"redis://127.0.0.1:1", 6}} {
		var inside int64
		for range 5 { // Redis may take too long on a busy machine: then each counts for itself
			if inside = atOnce(t, tc.redis); inside == tc.want {
				break
			}
		}
		if inside != tc.want {
			t.Errorf("%s: got %d calls at once at two gateways, want %d", tc.redis, inside, tc.want)
		}
	}
}

// atOnce is how many of 20 calls by a key run at once.
func atOnce(t *testing.T, redis string) int64 {
	t.Helper()
	v := newTill(t)
	name := fmt.Sprintf("v%d", time.Now().UnixNano())
	var apps []*App
	for range 2 {
		text := strings.Replace(sharing("none", redis, name, v.server.URL, "100"), "store: none\n", "", 1)
		apps = append(apps, start(t, parse(t, text, nil), &lockedBuffer{}))
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	refused := int64(0)
	for i := range 20 {
		all.Go(func() {
			if callAs(t, newClient(t), apps[i%2], name+"/m") == http.StatusTooManyRequests {
				mu.Lock()
				refused++
				mu.Unlock()
			}
		})
	}
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		all := refused + v.had.Load()
		mu.Unlock()
		if all == 20 {
			break
		}
	}
	inside := v.had.Load()
	close(v.open)
	all.Wait()
	// When they are over there is room again.
	if status := callAs(t, newClient(t), apps[0], name+"/m"); status != http.StatusOK {
		t.Errorf("when all were over: got status %d, want an answer", status)
	}
	return inside
}
