//go:build linux

package app

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a PostgreSQL server that can be stopped and killed.
type cluster struct {
	t      *testing.T
	bin    string
	folder string // of its data and its socket
	as     *syscall.SysProcAttr
	server *exec.Cmd
	dbs    int
}

// openCluster starts a server of the test's own where there is one to be had.
func openCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("UNDERSTUDY_POSTGRES") == "" {
		t.Skip("skipped: it needs a PostgreSQL server of its own, which `.ci/run store` installs")
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Skip("skipped: it needs PostgreSQL's programs to start a server of its own")
	}
	c := &cluster{t: t, bin: filepath.Dir(found[len(found)-1])}
	if c.folder, err = os.MkdirTemp("/tmp", "understudy-pg-"); err != nil { // a socket's path may not be long
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(c.folder) })
	if os.Geteuid() == 0 { // which the server refuses to be
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("skipped: PostgreSQL has no user postgres here")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(c.folder, uid, gid); err != nil {
			t.Fatal(err)
		}
		c.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // they are
	}
	initdb := exec.Command(filepath.Join(c.bin, "initdb"), "-D", filepath.Join(c.folder, "data"), "-U", "understudy", "-A", "trust", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = c.as, c.folder
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	c.start()
	t.Cleanup(c.kill)
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	c.server = exec.Command(filepath.Join(c.bin, "postgres"), "-D", filepath.Join(c.folder, "data"), "-k", c.folder, "-c", "listen_addresses=")
	c.server.SysProcAttr, c.server.Dir = c.as, c.folder
	if err := c.server.Start(); err != nil {
		c.t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), c.url("postgres"))
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Since(begun) > 20*time.Second {
			c.t.Fatal(err)
		}
	}
}

// kill ends the server as a crash does.
func (c *cluster) kill() {
	_ = c.server.Process.Signal(syscall.SIGQUIT)
	_ = c.server.Wait() // with the signal
}

// signal reaches the server and all processes that serve connections.
func (c *cluster) signal(s syscall.Signal) {
	c.t.Helper()
	all := []int{c.server.Process.Pid}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, path := range stats {
		text, _ := os.ReadFile(path) // it may have ended
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(c.server.Process.Pid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			all = append(all, pid)
		}
	}
	for _, pid := range all {
		if err := syscall.Kill(pid, s); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) url(db string) string {
	return fmt.Sprintf("postgres:///%s?host=%s&user=understudy", db, c.folder)
}

// database makes an empty one.
func (c *cluster) database() string {
	c.t.Helper()
	conn, err := pgx.Connect(context.Background(), c.url("postgres"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	c.dbs++
	name := fmt.Sprint("books", c.dbs)
	if _, err := conn.Exec(context.Background(), "CREATE DATABASE "+name); err != nil {
		c.t.Fatal(err)
	}
	return name
}

// link is a network between the gateway and the server, which can be cut.
type link struct {
	t        *testing.T
	listener net.Listener
	to       string
	serving  sync.WaitGroup
	refuse   atomic.Bool
	delay    atomic.Int64 // of every piece of an answer
	held     atomic.Bool  // answers do not come through
	cutAt    atomic.Int64 // so many commits are sent before the connection is cut, answer and all; 0 cuts none
	open     atomic.Int64
	most     atomic.Int64 // connections at a time
	cuts     atomic.Int64
	mu       sync.Mutex
	conns    map[net.Conn]bool
}

func (c *cluster) link() *link {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	l := &link{t: c.t, listener: listener, to: filepath.Join(c.folder, ".s.PGSQL.5432"), conns: map[net.Conn]bool{}}
	l.serving.Go(l.serve)
	return l
}

func (l *link) close() {
	_ = l.listener.Close()
	l.cut()
	l.serving.Wait()
}

func (l *link) url(db string) string {
	return fmt.Sprintf("postgres://understudy@%s/%s?sslmode=disable", l.listener.Addr(), db)
}

// cut ends all connections.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close()
	}
}

func (l *link) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", l.to)
		if err != nil || l.refuse.Load() {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		l.mu.Lock()
		l.conns[client], l.conns[server] = true, true
		l.mu.Unlock()
		if n := l.open.Add(1); n > l.most.Load() {
			l.most.Store(n)
		}
		l.serving.Go(func() { l.join(client, server) })
	}
}

func (l *link) join(client, server net.Conn) {
	var mute atomic.Bool
	var both sync.WaitGroup
	end := func() { _, _ = client.Close(), server.Close() }
	both.Go(func() { // to the server
		defer end()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				return
			}
			if bytes.Contains(bytes.ToLower(buf[:n]), []byte("commit\x00")) && l.cutAt.Load() > 0 && l.cutAt.Add(-1) == 0 {
				l.cuts.Add(1)
				mute.Store(true) // what comes of it nobody is told
				_, _ = server.Write(buf[:n])
				time.Sleep(50 * time.Millisecond)
				return
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	both.Go(func() { // and back
		defer end()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			for l.held.Load() && err == nil {
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(time.Duration(l.delay.Load()))
			if mute.Load() || err != nil {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	both.Wait()
	l.open.Add(-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, client)
	delete(l.conns, server)
}
