//go:build unix

package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// vaultScript prints the key that is in a file beside it, does as another file says instead, and leaves a note of what it was given.
const vaultScript = `
if [ -e then ]; then . ./then; fi
printf '%s\n' "$@" >args.txt
env >env.txt
ls -l /proc/self/fd >fds.txt 2>/dev/null
cat key.txt
`

// commandHouse is a gateway, not yet started, whose lead's key is printed by vaultScript, and the folder of that.
func commandHouse(t *testing.T, command string, env ...string) (h *house, folder string) {
	t.Helper()
	h = buildHouse(t, standard, env...)
	folder = filepath.Dir(h.config)
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	put(t, h.config, strings.Replace(string(text), "/v1\", key: env:TEST_KEY", "/v1\", key: "+command, 1))
	put(t, filepath.Join(folder, "vault.sh"), vaultScript)
	return h, folder
}

// put writes a file whole, at once for whoever reads it meanwhile.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// readNote is what a file says by now; empty if there is none.
func readNote(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

func (h *house) wantLog(pattern string) {
	h.t.Helper()
	if _, err := h.log.find(pattern); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) wantTarget(name, target string) {
	h.t.Helper()
	if a := h.post(chatPath, ask("assistant", false)); a.status != 200 || a.header.Get("X-Understudy-Target") != target {
		h.t.Errorf("%s: got status %d of %q, want an answer of %s", name, a.status, a.header.Get("X-Understudy-Target"), target)
	}
}

// TestCommandPrintsKey: a command's key reaches the vendor, and no other secret the command. What it prints is read again on SIGHUP,
// and what is no key leaves the one before in force; calls do not wait for it.
func TestCommandPrintsKey(t *testing.T) {
	t.Parallel()
	h, folder := commandHouse(t, `{command: [sh, vault.sh, "$(id) * `+"`id`"+`", --], timeout: 5s}`,
		"OPENAI_API_KEY=sk-canary-other", "Groq_Api_Key=sk-canary-groq", "UNDERSTUDY_ADMIN_TOKEN=us-admin-canary", "OTEL_EXPORTER_OTLP_HEADERS=x=canary", "PGPASSWORD=canary",
		"VAULT_TOKEN=it-signs-in-with", "ACCESS=canary-of-thirty-two-characters-or-more")
	text := readNote(t, h.config)
	address, socket := listening(t)
	h.files = []*os.File{socket}
	put(t, h.config, strings.Replace(text, "listen: 127.0.0.1:0", "listen: "+address, 1)+"access: {secret: env:ACCESS}\n")
	file := func(name string) string { return filepath.Join(folder, name) }
	put(t, file("key.txt"), "sk-canary-of-yesterday\n")
	h.launch("sh", "-c", `ls -l /proc/self/fd >"$0" 2>/dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, file("before.txt"))
	h.wantServing()
	h.wantTarget("a key that is refused", "claude/small")
	wantNotHandedOn(t, folder)

	if got, want := readNote(t, file("args.txt")), "$(id) * `id`\n--\n"; got != want {
		t.Errorf("arguments: got %q, want %q", got, want)
	}
	env := readNote(t, file("env.txt"))
	if strings.Contains(env, "canary") || strings.Contains(env, "LISTEN_") {
		t.Errorf("got the environment\n%s\nwant it without what is secret", env)
	}
	for _, want := range []string{"VAULT_TOKEN=it-signs-in-with\n", "PATH=", "HOME="} {
		if !strings.Contains(env, want) {
			t.Errorf("got the environment\n%s\nwant %q in it", env, want)
		}
	}

	put(t, file("key.txt"), "\n"+canary+"\n")
	h.signal(syscall.SIGHUP)
	h.wantLog(`"msg":"config reloaded"`)
	h.wantTarget("the key of today", "chat/small")
	wantNotHandedOn(t, folder)

	for _, tc := range []struct{ name, then, want string }{
		{"fails", "echo sk-canary; echo sk-canary >&2; exit 3", "command sh ended with exit status 3"},
		{"prints too much", "while :; do echo sk-canary; done", "command sh printed more than 16384 bytes, and was ended"},
		{"prints nothing", "exit 0", "what command sh printed is empty"},
		{"prints two lines", "echo sk-canary; echo sk-canary; exit 0", "what command sh printed holds something else than a key: it has spaces, line breaks"},
	} {
		put(t, file("then"), tc.then)
		h.signal(syscall.SIGHUP)
		h.wantLog(`config not reloaded, the old one stays in force.*understudy.yaml:\d+:\d+: providers.chat.key: ` + tc.want)
		h.wantTarget("a command that "+tc.name, "chat/small")
	}

	// While it hangs, calls are served; then all of it is ended.
	pipe := file("pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	runs, ended := readPipe(pipe)
	put(t, file("then"), "exec 3>pipe; (exec sleep 1000) & echo >&3; exec sleep 1000")
	h.signal(syscall.SIGHUP)
	wantSoon(t, "a command that runs", runs)
	took := time.Now()
	h.wantTarget("a command that hangs", "chat/small")
	if waited := time.Since(took); waited > 4*time.Second {
		t.Errorf("got an answer after %v, want it not to wait for a command", waited)
	}
	h.wantLog(`config not reloaded.*providers.chat.key: command sh did not end within 5s, and was ended with all that it had started`)
	wantSoon(t, "the end of all that a command has started", ended)
	h.wantTarget("a command that was ended", "chat/small")
	if log := h.log.all(); strings.Contains(log, "canary") || strings.Contains(log, "vault.sh") || strings.Contains(log, "id)") {
		t.Errorf("got the log\n%s\nwant no key and no argument in it", log)
	}
	h.stop()
}

// wantNotHandedOn holds a command's descriptors to those that the gateway's own shell had beside the socket that it was handed, as 3:
// that, and what the gateway has opened, it keeps.
func wantNotHandedOn(t *testing.T, folder string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	list := func(name string) (fds map[string]string) {
		fds = map[string]string{}
		for line := range strings.Lines(readNote(t, filepath.Join(folder, name))) {
			if at, to, isLink := strings.Cut(strings.TrimSpace(line), " -> "); isLink {
				fds[at[strings.LastIndexByte(at, ' ')+1:]] = to
			}
		}
		return fds
	}
	before, got := list("before.txt"), list("fds.txt")
	if !strings.HasPrefix(before["3"], "socket:") || len(got) < 3 {
		t.Fatalf("got descriptors %v of a shell, and %v of a command, want some, and a socket handed over", before, got)
	}
	delete(before, "3")
	for at, to := range got {
		isOwn := to == "/dev/null" || strings.HasPrefix(to, folder) || strings.HasPrefix(to, "/proc/")
		if !isOwn && to != before[at] {
			t.Errorf("got the descriptor %s -> %s in a command, want none of the gateway's; it was started with %v", at, to, before)
		}
	}
}

// readPipe tells when something is written to a pipe, and when nobody has it open any more.
func readPipe(path string) (runs, ended chan error) {
	runs, ended = make(chan error, 1), make(chan error, 1)
	go func() {
		f, err := os.Open(path)
		if err == nil {
			defer f.Close()
			_, err = io.ReadFull(f, make([]byte, 1))
		}
		runs <- err
		if err == nil {
			_, err = io.Copy(io.Discard, f)
		}
		ended <- err
	}()
	return runs, ended
}

func wantSoon(t *testing.T, what string, told chan error) {
	t.Helper()
	select {
	case err := <-told:
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	case <-time.After(patience):
		t.Fatalf("got no sign of %s, want one", what)
	}
}

// TestCommandEvery: a key is another one when its time has come, without a reload.
func TestCommandEvery(t *testing.T) {
	t.Parallel()
	h, folder := commandHouse(t, `{command: [sh, vault.sh], every: 1s}`)
	file := func(name string) string { return filepath.Join(folder, name) }
	put(t, file("key.txt"), canary)
	h.start()
	h.wantTarget("the first key", "chat/small")
	put(t, file("then"), "echo sk-canary; exit 4")
	h.wantLog(`"msg":"key not read again, the old one stays in force","error":"command sh ended with exit status 4"`)
	h.wantTarget("a command that fails", "chat/small")
	put(t, file("key.txt"), "sk-canary-another")
	if err := os.Remove(file("then")); err != nil {
		t.Fatal(err)
	}
	h.wantLog(`"msg":"a key is another one, since its command has printed another","command":"command sh"`)
	h.wantTarget("another key, which is refused", "claude/small")
	put(t, file("key.txt"), "sk-canary of two words")
	h.wantLog(`"msg":"key not read again, the old one stays in force","error":"[^"]*providers.chat.key: what command sh printed holds something else than a key`)
	put(t, file("key.txt"), canary)
	h.wantLog(`"msg":"a key is another one`)
	h.wantTarget("the first key again", "chat/small")
	if log := h.log.all(); strings.Contains(log, "canary") {
		t.Errorf("got the log\n%s\nwant no key in it", log)
	}
	h.stop()
}

// TestCommandAtStart: without its key the gateway does not start, and says what to do. One that is told to stop while a command runs
// stops at once, and the command with it. check runs none unless it asks the vendors, too.
func TestCommandAtStart(t *testing.T) {
	t.Parallel()
	h, folder := commandHouse(t, `{command: [sh, vault.sh, canary-argument], timeout: 60s}`)
	file := func(name string) string { return filepath.Join(folder, name) }
	run := func(args ...string) (string, error) {
		cmd := exec.Command("understudy", append(args, "--config", h.config)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NO_PROXY=*", "TEST_KEY=" + canary}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	put(t, file("then"), "touch ran; echo sk-canary; echo canary >&2; exit 3")
	if out, err := run("check"); err != nil || !strings.Contains(out, ", key command sh\n") {
		t.Errorf("check: got %v and\n%s\nwant it good, and the key told by its program", err, out)
	}
	if _, err := os.Stat(file("ran")); err == nil {
		t.Error("check: got a command run, want none")
	}
	out, err := run("check", "--live")
	if err == nil || !strings.Contains(out, "live chat    failed: command sh ended with exit status 3\n") || !strings.Contains(out, "live claude  OK") {
		t.Errorf("check --live: got %v and\n%s\nwant it to tell of a command that fails", err, out)
	}
	started, err := run("serve")
	want := fmt.Sprintf("%s:5:50: providers.chat.key: command sh ended with exit status 3 (run it by hand, as the gateway's user: "+
		"what it says of an error is shown nowhere, since it may quote a secret)", h.config)
	if _, at, _ := strings.Cut(started, h.config+":5:"); err == nil || !strings.Contains(at, want[strings.Index(want, ": providers"):]) {
		t.Errorf("serve: got %v and\n%s\nwant\n%s", err, started, want)
	}
	if strings.Contains(out+started, "canary") {
		t.Errorf("got\n%s\n%s\nwant nothing that a command says or is told", out, started)
	}

	pipe := file("pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	runs, ended := readPipe(pipe)
	put(t, file("then"), "exec 3>pipe; (exec sleep 1000) & echo >&3; exec sleep 1000")
	h.launch()
	wantSoon(t, "a command that runs", runs)
	h.signal(syscall.SIGTERM)
	h.wantEnd(patience)
	wantSoon(t, "the end of the command", ended)
	if log := h.log.all(); !strings.Contains(log, "stopped before it had started") {
		t.Errorf("got the log\n%s\nwant it to say that it was stopped", log)
	}

	put(t, file("then"), "")
	put(t, file("key.txt"), canary)
	if out, err := run("check", "--live"); err != nil || !strings.Contains(out, "live chat    OK") {
		t.Errorf("check --live: got %v and\n%s\nwant the key found good", err, out)
	}
	text := readNote(t, h.config)
	put(t, h.config, strings.Replace(text, "[sh, ", "[understudy-no-such-program, ", 1))
	if out, err := run("check"); err == nil || !strings.Contains(out, ": providers.chat.key: command understudy-no-such-program is not found on PATH") {
		t.Errorf("check: got %v and\n%s\nwant a program that is not there found out without running it", err, out)
	}
}
