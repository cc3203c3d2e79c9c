//go:build linux

package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// onTerminal runs understudy on a terminal of some columns, and returns what it shows there.
func onTerminal(t *testing.T, columns uint16, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("open a terminal: %v", err)
	}
	defer master.Close()
	control := func(f *os.File, request uintptr, value unsafe.Pointer) {
		t.Helper()
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(value)); errno != 0 {
			t.Fatalf("ioctl %#x: %v", request, errno)
		}
	}
	var locked, number int32
	control(master, syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	control(master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	size := [4]uint16{40, columns} // struct winsize of ioctl_tty(2)
	control(terminal, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	cmd := exec.Command("understudy", args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "TERM=xterm"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	shown, _ := io.ReadAll(master) // ends in EIO when nobody has the terminal any more
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: got %v and\n%s", args, err, shown)
	}
	return strings.ReplaceAll(string(shown), "\r\n", "\n")
}

// TestHelpFitsTheTerminal breaks the help between words, however narrow the terminal is, and at 80 columns however wide.
func TestHelpFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{60, 80, 200} {
		for _, args := range []string{"--help", "keys create --help", "demo --help"} {
			shown := onTerminal(t, uint16(columns), strings.Fields(args)...)
			if !strings.Contains(shown, "Usage: understudy") {
				t.Errorf("%s at %d: got %q, want the help", args, columns, shown)
			}
			for line := range strings.Lines(shown) {
				if strings.HasPrefix(line, "    understudy ") || strings.HasPrefix(line, `Run "understudy `) {
					continue // what is pasted stays whole
				}
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > min(columns, 80) {
					t.Errorf("%s at %d: got a line of %d columns: %s", args, columns, n, line)
				}
			}
		}
	}
}
