package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The bench runs itself again in the roles of the vendor and the bare proxy, so
// that each has a process whose time can be read.
const (
	roleVariable   = "UNDERSTUDY_BENCH_ROLE"
	targetVariable = "UNDERSTUDY_BENCH_TARGET" // the vendor's address, for the proxies
	keyVariable    = "UNDERSTUDY_BENCH_KEY"    // where understudy finds the vendors' key
	roleVendor     = "vendor"
	roleProxy      = "proxy"
	roleDurable    = "durable proxy"
	understudyName = "understudy"
)

// playRole serves until standard input ends, which it does when the bench does.
func playRole(role string) error {
	var handler http.Handler
	switch role {
	case roleVendor:
		pause, err := time.ParseDuration(os.Getenv(targetVariable))
		if err != nil {
			return fmt.Errorf("read the pause: %w", err)
		}
		handler = vendor(pause)
	case roleTicker, roleSecureTicker:
		handler = ticker()
	case roleProxy, roleDurable:
		handler = proxy(&url.URL{Scheme: "http", Host: os.Getenv(targetVariable)})
		if role == roleDurable {
			var err error
			if handler, err = durable(handler); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("got role %q, want %s or %s", role, roleVendor, roleProxy)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
	serve := server.Serve
	if role == roleSecureTicker {
		if err := secure(server, os.Getenv(targetVariable)); err != nil {
			return err
		}
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	fmt.Fprintln(os.Stdout, l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close() // the process ends with it
	}()
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// process is a running program.
type process struct {
	name    string
	address string
	config  string // the file, if it has one
	cmd     *exec.Cmd
	stdin   io.Closer
}

// startRole starts this program again in a role.
func startRole(ctx context.Context, role, target string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, targetVariable+"="+target)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	p := &process{name: role, cmd: cmd, stdin: stdin}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("start the %s: read its address: %w", role, err)
	}
	p.address = strings.TrimSpace(address)
	return p, nil
}

// startUnderstudy starts the binary with a config that knows the vendor under every format.
func (b *bench) startUnderstudy(ctx context.Context) (*process, error) {
	return b.serve(ctx, config(b.vendor.address))
}

// serve starts the binary with a config that says all but where it listens and keeps its data. It returns at once; the
// log goes to a file, as it would in service.
func (b *bench) serve(ctx context.Context, config string, env ...string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()                            // the process has its own
	socket, err := l.(*net.TCPListener).File() //nolint:forcetypeassert // it listens on TCP
	if err != nil {
		return nil, fmt.Errorf("hand a socket over: %w", err)
	}
	defer socket.Close()
	address := l.Addr().String()
	_, port, _ := strings.Cut(address, ":")
	path, data := filepath.Join(b.dir, "understudy"+port+".yaml"), "./data"+port // several may run at a time
	if !b.ledger {
		data = "none"
	}
	text := fmt.Sprintf("listen: %s\nadmin: 127.0.0.1:0\ndata: %s\n%s", address, data, config)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the config: %w", err)
	}
	log, err := os.Create(b.logPath())
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close() // the process has its own descriptor
	// It is handed its socket, so that nobody else can take the port meanwhile.
	cmd := exec.CommandContext(ctx, "sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh", b.binary, "serve", "--config", path)
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = append(append(os.Environ(), keyVariable+"=sk-bench-0123456789"), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start understudy: %w", err)
	}
	return &process{name: understudyName, address: address, config: path, cmd: cmd}, nil
}

func (b *bench) logPath() string { return filepath.Join(b.dir, "understudy.log") }

// config has the vendor once for each format, under its name, and names a model on
// it, with an understudy, so that rescues are armed; for the first two formats also
// one for streams that stay open, and one whose lead always fails.
func config(vendor string) string {
	all := formats()
	var b strings.Builder
	b.WriteString("providers:\n")
	fill := strings.NewReplacer("{vendor}", vendor, "{key}", "env:"+keyVariable)
	for _, f := range all {
		fmt.Fprintf(&b, "  %s: {%s}\n", f.name, fill.Replace(f.provider))
	}
	b.WriteString("models:\n")
	model := func(name string, lead *format, id string, understudy *format) {
		fmt.Fprintf(&b, "  %s: {lead: %s/%s, understudies: [%s/%s]}\n", name, lead.name, id, understudy.name, vendorModel)
	}
	for i, f := range all {
		understudy := all[0]
		if i == 0 {
			understudy = all[1]
		}
		model("on-"+f.name, f, vendorModel, understudy)
		if i < 2 {
			model("held-on-"+f.name, f, heldModel, understudy)
		}
	}
	model("failing-over-to-"+all[1].name, all[0], failingModel, all[1])
	return b.String()
}

// ready waits for the first right answer.
func (p *process) ready(ctx context.Context, t target) error {
	t.address = p.address
	deadline := time.Now().Add(answerTime)
	for {
		err := t.verify(ctx)
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p == nil {
		return
	}
	if p.stdin != nil {
		p.stdin.Close()
	} else {
		_ = p.cmd.Process.Kill()
	}
	_ = p.cmd.Wait() // it was told to end, whatever it says
}
