//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// refusalLimit is how long a refusal may take; the machine's other work comes on top.
const refusalLimit = 50 * time.Millisecond

// wantRefusals sends requests that must be refused for want of a ledger, most of them fast, and with no vendor asked.
func (h *house) wantRefusals(n int) {
	h.t.Helper()
	before := h.seen()
	median := patience
	for try := 0; try < 5 && median > refusalLimit; try++ {
		var took []time.Duration
		for range n {
			begun := time.Now()
			a := h.post(chatPath, ask("assistant", false))
			took = append(took, time.Since(begun))
			if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "ledger_unavailable") {
				h.t.Fatalf("got status %d, %v and %.300s, want it refused: no ledger can be written", a.status, a.err, a.body)
			}
		}
		slices.Sort(took)
		median = took[n/2]
	}
	if median > refusalLimit {
		h.t.Errorf("got a refusal after %v, want it within %v", median, refusalLimit)
	}
	if got := h.seen(); got != before {
		h.t.Errorf("got %d requests at the vendors while nothing could be written down, want none", got-before)
	}
}

// slowStream begins a stream that takes about two seconds, and returns what waits for its end.
func (h *house) slowStream(tag string) (wantWhole func()) {
	h.t.Helper()
	lines := h.stream(taggedAsk("chat/small+chunks-40+delay-50ms", tag, true), tag)
	until(h.t, lines, "content", 2)
	return func() {
		h.t.Helper()
		until(h.t, lines, "[DONE]", 1)
	}
}

// back waits until requests are served again.
func (h *house) back(run int) {
	h.t.Helper()
	for begun := time.Now(); h.served(run, 1) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > patience {
			h.t.Fatalf("got requests refused for %v, want them served again; the log:\n%.3000s", patience, h.log.all())
		}
	}
}

// TestDiskFull fills the disk that the ledger is on: calls are refused, those that run end as they should, and with room
// again everything is there (K4).
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can mount a small disk")
	}
	binary := withFailpoints(t)
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=16m,mode=0700"); err != nil {
		t.Skipf("skipped: a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h := openHouse(t, strings.Replace(priced, "./data", disk, 1))
	h.stop()
	h.binary, h.env = binary, []string{"UNDERSTUDY_JOURNAL_FILE=262144"} // which are full soon
	h.start()
	h.served(1, 50)
	ballast := filepath.Join(disk, "ballast")
	if err := fill(ballast); err != nil {
		t.Fatal(err)
	}
	wantWhole := h.slowStream("run2-0-0")
	if n := h.served(3, 4000); n == 0 || n == 4000 {
		t.Fatalf("got %d requests served on a full disk, want some, and then none", n)
	}
	h.wantRefusals(20)
	wantWhole()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	h.back(4)
	vendors := map[string]int{}
	h.collect(vendors)
	h.stop()
	h.wantBooks(vendors)
	h.wantSame(vendors)
}

// wantSame holds the ledger to exactly what the vendors had.
func (h *house) wantSame(vendors map[string]int) {
	h.t.Helper()
	ledger := h.attempts()
	delete(ledger, "") // of requests without a name
	for tag, n := range ledger {
		if n != vendors[tag] {
			h.t.Errorf("%s: got %d attempts in the ledger, want %d", tag, n, vendors[tag])
		}
	}
}

// fill writes a file until there is no room.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		err = nil
	}
	return nil
}

// journalFile is the file that the gateway's journal is being written to.
func (h *house) journalFile() string {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(h.config), "data", "journal", "*.journal"))
	if err != nil || len(files) == 0 {
		h.t.Fatalf("got journal files %v, %v, want some", files, err)
	}
	slices.Sort(files)
	if len(files) > 1 { // the last one is spare
		return files[len(files)-2]
	}
	return files[0]
}

// tamper changes what the running gateway's syscalls on a file come to, until the returned function is called.
func (h *house) tamper(file, call, how string) (end func()) {
	h.t.Helper()
	said := filepath.Join(h.t.TempDir(), "strace")
	cmd := exec.Command("strace", "-f", "-o", said, "-P", file, "-p", fmt.Sprint(h.process.Pid), "-e", "trace="+call, "-e", "inject="+call+":"+how)
	attached := &logReader{grown: make(chan struct{}, 1)}
	cmd.Stderr = attached
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	if _, err := attached.find("attached"); err != nil {
		h.t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait() // with the signal
		if text, err := os.ReadFile(said); err != nil || !strings.Contains(string(text), "INJECTED") {
			h.t.Errorf("got %v and %.300s, want a syscall that was tampered with", err, text)
		}
	})
}

// TestDiskFails has the journal's disk fail once: nothing is promised from then on, even when the disk is in order, until
// the gateway is started again (K3).
func TestDiskFails(t *testing.T) {
	wantStrace(t)
	t.Parallel()
	for _, tc := range []struct{ name, call, how string }{
		{"flush", "fdatasync", "error=EIO:when=1"},
		{"write", "pwrite64", "error=ENOSPC:when=1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := openHouse(t, priced)
			h.served(1, 50)
			h.wantProbe("/healthz", http.StatusOK)
			wantWhole := h.slowStream("run2-0-0")
			end := h.tamper(h.journalFile(), tc.call, tc.how)
			defer end()
			for begun := time.Now(); h.post(chatPath, ask("assistant", false)).status == http.StatusOK; {
				if time.Since(begun) > patience {
					t.Fatal("got requests served, want them refused once the disk has failed")
				}
			}
			end()
			h.wantRefusals(20)
			h.wantProbe("/healthz", http.StatusServiceUnavailable)
			h.wantProbe("/readyz", http.StatusServiceUnavailable)
			wantWhole()
			h.wantRefusals(5)
			h.signal(syscall.SIGTERM)
			h.wantStopped(patience)
			h.start()
			h.back(3)
			vendors := map[string]int{}
			h.collect(vendors)
			h.stop()
			h.wantBooks(vendors)
		})
	}
}

// wantProbe asks the admin listener, as whatever runs the gateway does.
func (h *house) wantProbe(path string, status int) {
	h.t.Helper()
	resp, err := h.client.Get("http://" + h.admin + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		h.t.Errorf("%s: got status %d, want %d", path, resp.StatusCode, status)
	}
}

// TestDiskOfTheDatabaseFails has the database's disk fail for a while: no client notices, and everything is there in the end (K3).
func TestDiskOfTheDatabaseFails(t *testing.T) {
	wantStrace(t)
	t.Parallel()
	for _, tc := range []struct{ name, file, call, how string }{
		{"flush", "ledger.db-wal", "fdatasync,fsync", "error=EIO"},
		{"full", "ledger.db-wal", "pwrite64", "error=ENOSPC"},
		{"read-only", "ledger.db-wal", "pwrite64", "error=EROFS"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := openHouse(t, priced)
			h.served(1, 50)
			end := h.tamper(filepath.Join(filepath.Dir(h.config), "data", tc.file), tc.call, tc.how)
			defer end()
			h.served(2, 50)
			if _, err := h.log.find("entries wait in the journal"); err != nil {
				t.Fatal(err)
			}
			if n := h.served(3, 50); n < 50 {
				t.Errorf("got %d requests served, want all: their entries are in the journal", n)
			}
			end()
			if _, err := h.log.find("the ledger's store is written again"); err != nil {
				t.Fatal(err)
			}
			vendors := map[string]int{}
			h.collect(vendors)
			h.stop()
			h.wantBooks(vendors)
			h.wantSame(vendors)
		})
	}
}

// TestDiskIsCopied copies the data folder at random moments, as a crash of the machine would leave it, and starts a gateway
// on the copy: all that a vendor had by then is there (K3).
func TestDiskIsCopied(t *testing.T) {
	t.Parallel()
	h := openHouse(t, priced)
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for client := range 6 {
		clients.Go(func() { h.pester(0, client, stop) })
	}
	h.awaitSeen()
	for range 2 * pointRuns(t) {
		time.Sleep(time.Duration(100+time.Now().UnixNano()%500) * time.Millisecond)
		h.signal(syscall.SIGSTOP)
		time.Sleep(10 * time.Millisecond)
		vendors := map[string]int{}
		h.peek(vendors)
		folder := filepath.Join(t.TempDir(), "data")
		err := os.CopyFS(folder, os.DirFS(filepath.Join(filepath.Dir(h.config), "data")))
		h.signal(syscall.SIGCONT)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(folder, 0o700); err != nil { //nolint:gosec // as it was
			t.Fatal(err)
		}
		h.wantCopy(folder, vendors)
	}
	close(stop)
	clients.Wait()
	h.stop()
}

// wantCopy starts and ends a gateway on a copy of the data folder, and holds its ledger to what vendors had.
func (h *house) wantCopy(folder string, vendors map[string]int) {
	h.t.Helper()
	if err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	text, err := os.ReadFile(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	other := &house{t: h.t, chat: h.chat, claude: h.claude, config: filepath.Join(filepath.Dir(folder), "understudy.yaml")}
	if err := os.WriteFile(other.config, text, 0o600); err != nil {
		h.t.Fatal(err)
	}
	other.start()
	other.stop()
	other.wantBooks(vendors)
}
