package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// patience is how long a test waits for what only a failure keeps from coming: a busy machine may stand still for seconds.
const patience = time.Minute

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

type stageKey struct{}

// stage is what one script has started. Everything ends with the script.
type stage struct {
	vendors map[string]*fakeprovider.Server
	answers map[string]*answer
	client  *http.Client
	gateway *exec.Cmd
	exited  chan error
	log     *logReader
	out     *logReader // its standard output
}

func newStage(env *testscript.Env) *stage {
	s := &stage{
		vendors: map[string]*fakeprovider.Server{}, answers: map[string]*answer{},
		client: &http.Client{Transport: &http.Transport{}},
	}
	env.Defer(func() {
		if s.gateway != nil && s.exited != nil {
			_ = s.gateway.Process.Kill()
			<-s.exited
		}
		for _, v := range s.vendors {
			v.Close()
		}
		s.client.CloseIdleConnections()
	})
	return s
}

func (s *stage) expand(ts *testscript.TestScript, args []string) error {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	return os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600)
}

func (s *stage) vendor(ts *testscript.TestScript, args []string) error {
	o := fakeprovider.Options{}
	if len(args) == 2 {
		o.Key = args[1]
	}
	v := fakeprovider.New(o)
	if _, err := v.Start(); err != nil {
		return err
	}
	s.vendors[args[0]] = v
	ts.Setenv(args[0], v.RootURL())
	ts.Setenv(args[0]+"_ADDRESS", strings.TrimPrefix(v.RootURL(), "http://"))
	return nil
}

func (s *stage) fault(_ *testscript.TestScript, args []string) error {
	v := s.vendors[args[0]]
	switch {
	case v == nil:
		return fmt.Errorf("got no vendor %s", args[0])
	case args[1] == "none":
		return v.SetFault(nil)
	}
	return v.SetFault(&fakeprovider.Fault{Kind: args[1]})
}

func (s *stage) pause(_ *testscript.TestScript, args []string) error {
	v := s.vendors[args[0]]
	if v == nil || args[1] != "on" && args[1] != "off" {
		return fmt.Errorf("got %s %s, want a vendor, and on or off", args[0], args[1])
	}
	v.Pause(args[1] == "on")
	return nil
}

func (s *stage) journal(ts *testscript.TestScript, args []string) error {
	v := s.vendors[args[0]]
	if v == nil {
		return fmt.Errorf("got no vendor %s", args[0])
	}
	for _, r := range v.Requests() {
		fmt.Fprintf(ts.Stdout(), "%s %s model=%s stream=%v status=%d agent=%s\n", r.Method, r.Path, r.Model, r.Stream, r.Status, r.Header.Get("User-Agent"))
	}
	return nil
}

func (s *stage) serve(ts *testscript.TestScript, args []string) error {
	cmd := exec.Command("understudy", append([]string{"serve", "--log-format", "json"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "NO_PROXY=*"}
	for _, name := range []string{"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "TEST_KEY", "APP_KEY", "UNDERSTUDY_POSTGRES"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	s.log, s.out = &logReader{grown: make(chan struct{}, 1)}, &logReader{grown: make(chan struct{}, 1)}
	cmd.Stderr, cmd.Stdout = s.log, s.out
	if err := cmd.Start(); err != nil {
		return err
	}
	s.gateway, s.exited = cmd, make(chan error, 1)
	go func() { s.exited <- cmd.Wait() }()
	line, err := s.log.find(`"msg":"serving"`)
	if err != nil {
		return err
	}
	var serving struct{ Listen, Admin string }
	if err := json.Unmarshal([]byte(line), &serving); err != nil {
		return err
	}
	ts.Setenv("CLIENTS", "http://"+serving.Listen)
	ts.Setenv("ADMIN", "http://"+serving.Admin)
	ts.Setenv("ADMIN_ADDRESS", serving.Admin)
	return nil
}

func (s *stage) token(ts *testscript.TestScript, _ []string) error {
	line, err := s.out.find("shown this once: us-admin-")
	if err != nil {
		return err
	}
	_, token, _ := strings.Cut(line, "shown this once: ")
	ts.Setenv("UNDERSTUDY_ADMIN_TOKEN", token)
	return nil
}

func (s *stage) keep(ts *testscript.TestScript, args []string) error {
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if text == "" {
		return errors.New("got nothing to keep")
	}
	ts.Setenv(args[0], text)
	return nil
}

func (s *stage) logs(ts *testscript.TestScript, args []string) error {
	line, err := s.log.find(args[0])
	fmt.Fprintln(ts.Stdout(), line)
	return err
}

func (s *stage) signal(_ *testscript.TestScript, args []string) error {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "HUP": syscall.SIGHUP}
	sig, ok := signals[args[0]]
	if !ok || s.gateway == nil {
		return fmt.Errorf("got signal %s without a gateway to send it to", args[0])
	}
	return s.gateway.Process.Signal(sig)
}

func (s *stage) ended(ts *testscript.TestScript, args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	select {
	case err := <-s.exited:
		s.exited = nil
		got := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			got = exit.ExitCode()
		}
		if got != want {
			return fmt.Errorf("got exit code %d, want %d; the log:\n%s", got, want, s.log.all())
		}
		fmt.Fprint(ts.Stdout(), s.log.all())
		return nil
	case <-time.After(patience):
		return fmt.Errorf("got a gateway that still runs, want it ended; its log:\n%s", s.log.all())
	}
}

// answer is an answer that is still coming.
type answer struct {
	text bytes.Buffer
	done chan error
}

// send begins a request; head is its status and headers.
func (s *stage) send(ts *testscript.TestScript, args []string) (resp *http.Response, err error) {
	header := http.Header{}
	for len(args) > 1 && args[0] == "-H" {
		name, value, _ := strings.Cut(args[1], ": ")
		header.Add(name, value)
		args = args[2:]
	}
	if len(args) < 2 || len(args) > 3 {
		return nil, errors.New("got other arguments, want METHOD URL [FILE]")
	}
	var body io.Reader = http.NoBody
	if len(args) == 3 {
		body = strings.NewReader(ts.ReadFile(args[2]))
		header.Set("Content-Type", "application/json")
	}
	req, err := http.NewRequest(args[0], args[1], body)
	if err != nil {
		return nil, err
	}
	req.Header = header
	return s.client.Do(req)
}

func head(resp *http.Response) string {
	var lines []string
	for name, values := range resp.Header {
		lines = append(lines, name+": "+strings.Join(values, ", "))
	}
	slices.Sort(lines)
	return fmt.Sprintf("status %d\n%s\n\n", resp.StatusCode, strings.Join(lines, "\n"))
}

func (s *stage) http(ts *testscript.TestScript, args []string) error {
	resp, err := s.send(ts, args)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	fmt.Fprintf(ts.Stdout(), "%s%s\n", head(resp), body)
	return err
}

func (s *stage) open(ts *testscript.TestScript, args []string) error {
	resp, err := s.send(ts, args[1:])
	if err != nil {
		return err
	}
	a := &answer{done: make(chan error, 1)}
	a.text.WriteString(head(resp))
	if _, err := io.CopyN(&a.text, resp.Body, 1); err != nil {
		resp.Body.Close()
		return err
	}
	s.answers[args[0]] = a
	go func() {
		defer resp.Body.Close()
		_, err := io.Copy(&a.text, io.LimitReader(resp.Body, 1<<20))
		a.done <- err
	}()
	return nil
}

func (s *stage) rest(ts *testscript.TestScript, args []string) error {
	a := s.answers[args[0]]
	if a == nil {
		return fmt.Errorf("got no open answer %s", args[0])
	}
	select {
	case err := <-a.done:
		fmt.Fprintln(ts.Stdout(), a.text.String())
		return err
	case <-time.After(patience):
		return errors.New("got an answer that does not end")
	}
}

// logReader keeps what a program writes, and finds lines in it.
type logReader struct {
	mu    sync.Mutex
	text  []byte
	from  int // lines before this have been found
	grown chan struct{}
}

// Write keeps p.
func (l *logReader) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.text = append(l.text, p...)
	l.mu.Unlock()
	select {
	case l.grown <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *logReader) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// find waits for a line that matches, after the last one found.
func (l *logReader) find(pattern string) (string, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", err
	}
	late := time.After(patience)
	for {
		if line, ok := l.scan(re); ok {
			return line, nil
		}
		select {
		case <-l.grown:
		case <-late:
			return "", fmt.Errorf("got no line that matches %q in\n%s", pattern, l.all())
		}
	}
}

func (l *logReader) scan(re *regexp.Regexp) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.from
	for {
		i := bytes.IndexByte(l.text[at:], '\n')
		if i < 0 {
			return "", false
		}
		line := l.text[at : at+i]
		at += i + 1
		if re.Match(line) {
			l.from = at
			return string(line), true
		}
	}
}
