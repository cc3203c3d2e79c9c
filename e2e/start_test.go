//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving starts the program with a config of h, and its two outputs where they are to go.
func (h *house) serving(out, errOut *os.File) *exec.Cmd {
	h.t.Helper()
	cmd := exec.Command("understudy", "serve", "--config", h.config)
	cmd.Dir = filepath.Dir(h.config)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "NO_PROXY=*", "TEST_KEY=" + canary}, h.env...)
	cmd.Stdout, cmd.Stderr = out, errOut
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// wantCode waits for a program to end with an exit code.
func wantCode(t *testing.T, cmd *exec.Cmd, code int, within time.Duration) {
	t.Helper()
	late := time.AfterFunc(within, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait() // what it ended with is looked at
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("got exit code %d (-1 if it had to be killed after %v), want %d", got, within, code)
	}
}

func create(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// awaitText waits until a file has what is looked for, and returns all of it.
func awaitText(t *testing.T, path, pattern string) string {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got := text(t, path)
		if regexp.MustCompile(pattern).MatchString(got) {
			return got
		}
		if time.Now().After(until) {
			t.Fatalf("got %s, want %s in it", got, pattern)
		}
	}
}

// TestTokenIsInNoLog starts the program where what it prints goes where its log does, as under a supervisor, or nowhere. The admin token is
// in a file then, and there commands take it from.
func TestTokenIsInNoLog(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	log := create(t, "log")
	tokenInFile(t, log, log)
	tokenInFile(t, null, create(t, "log"))
}

func tokenInFile(t *testing.T, out, log *os.File) {
	t.Helper()
	h := buildHouse(t, standard)
	cmd := h.serving(out, log)
	said := awaitText(t, log.Name(), `"msg":"the admin token is in a file`)
	admin := regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(said)
	file := filepath.Join(filepath.Dir(h.config), "data", "admin-token.txt")
	if !strings.Contains(said, file) || admin == nil {
		t.Fatalf("got %s, want %s named", said, file)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v and error %v, want a file for its owner alone", info, err)
	}
	if out, err := h.try("keys", "list", "--token-file", file, "--admin", admin[1]); err != nil {
		t.Errorf("got %v and %s, want the token taken", err, out)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	wantCode(t, cmd, 0, patience)
	token := strings.TrimSpace(text(t, file))
	if all := text(t, log.Name()); !strings.HasPrefix(token, "us-admin-") || strings.Contains(all, token) || strings.Contains(all, "us-admin-") {
		t.Errorf("got the token %q and the log\n%s\nwant a token that is not in it", token, all)
	}
}

// TestTokenCannotBeShown starts the program where nothing can be printed: it ends, and the next start makes another token.
func TestTokenCannotBeShown(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, standard)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	log := create(t, "log")
	wantCode(t, h.serving(full, log), 1, patience)
	if said := text(t, log.Name()); !strings.Contains(said, "understudy: show the admin token: write /dev/stdout: no space left on device") {
		t.Errorf("got %s, want it said what could not be done", said)
	}
	h.start()
	h.token()
	h.stop()
}

// TestResultCannotBeWritten fails every command whose result is lost, its help included.
func TestResultCannotBeWritten(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, tc := range []struct{ args, want string }{
		{"version", "understudy: write the result: "},
		{"version --help", "understudy: write the help: "},
		{"models", "write /dev/stdout: "},
		{"check --config " + h.config, "write /dev/stdout: "},
		{"usage --config " + h.config, "write the result: "},
		{"keys create web --model * --admin " + h.admin, "hint: understudy keys rotate web gives it another text"},
		{"admins add ada --role viewer --admin " + h.admin, "hint: understudy admins rotate ada gives them another"},
	} {
		var said bytes.Buffer
		cmd := exec.Command("understudy", strings.Fields(tc.args)...)
		cmd.Dir = filepath.Dir(h.config)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "NO_PROXY=*", "OPENAI_API_KEY=x", "TEST_KEY=" + canary, "UNDERSTUDY_ADMIN_TOKEN=" + h.token()}
		cmd.Stdout, cmd.Stderr = full, &said
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(said.String(), tc.want) {
			t.Errorf("%s: got %v and %s, want exit code 1 and %q", tc.args, err, &said, tc.want)
		}
	}
	h.stop()
}

// TestNobodyReadsTheLog closes the log of a gateway. It serves on, and ends in order.
func TestNobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, standard)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	told := create(t, "told")
	cmd := h.serving(told, write)
	log := &logReader{grown: make(chan struct{}, 1)}
	buffer := make([]byte, 4096)
	for !strings.Contains(log.all(), `"msg":"serving"`) {
		n, err := read.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = log.Write(buffer[:n])
	}
	_ = read.Close()
	_ = write.Close()
	address := regexp.MustCompile(`"listen":"([^"]+)"`).FindStringSubmatch(log.all())
	for range 3 { // each is a line of the log
		resp, err := http.Post("http://"+address[1]+"/v1/chat/completions", "application/json", strings.NewReader(ask("assistant", false)))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got status %d, want an answer", resp.StatusCode)
		}
		time.Sleep(100 * time.Millisecond) // longer than lines wait for others
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	wantCode(t, cmd, 0, patience)
}

// TestStoppedWhileItStarts stops a program that waits for its database, as somebody at a terminal does: it ends at once and in order.
func TestStoppedWhileItStarts(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		asked := make(chan struct{}, 64)
		go func() {
			for {
				conn, err := silent.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				asked <- struct{}{}
			}
		}()
		h := buildHouse(t, standard+"store: postgres://u@"+silent.Addr().String()+"/db\naccess: {secret: env:TEST_KEY}\n")
		out, log := create(t, "out"), create(t, "log")
		cmd := h.serving(out, log)
		select {
		case <-asked:
		case <-time.After(patience):
			t.Fatal("got the database asked for nothing")
		}
		_ = cmd.Process.Signal(sig)
		wantCode(t, cmd, 0, 5*time.Second)
		if said := text(t, log.Name()); !strings.Contains(said, "stopped before it had started") || strings.Contains(said, `"msg":"serving"`) {
			t.Errorf("%v: got %s, want it stopped before it had started", sig, said)
		}
		if shown := text(t, out.Name()); shown != "" {
			t.Errorf("%v: got %q printed, want nothing", sig, shown)
		}
		_ = silent.Close()
	}
}

// TestTwoOnOneFolder refuses a second gateway on a data folder, and says what to do.
func TestTwoOnOneFolder(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	out, log := create(t, "out"), create(t, "log")
	wantCode(t, h.serving(out, log), 1, patience)
	said := text(t, log.Name())
	if !strings.Contains(said, "another gateway uses it\nhint: each gateway has a data folder of its own") || strings.Contains(said, "none") {
		t.Errorf("got %s, want it said that each has a folder of its own", said)
	}
	h.stop()
}
