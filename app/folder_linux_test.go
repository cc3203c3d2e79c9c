package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestIsNetwork(t *testing.T) {
	const nfs, ext4, tmpfs, overlay = 0x6969, 0xef53, 0x01021994, 0x794c7630
	for kind, want := range map[uint32]bool{nfs: true, ext4: false, tmpfs: false, overlay: false} {
		if got := isNetwork(kind); got != want {
			t.Errorf("%#x: got network %v, want %v", kind, got, want)
		}
	}
	if err := local(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want it told that there is no such folder", err)
	}
}

// TestFolderOfOthers refuses a folder that somebody else owns (K10).
func TestFolderOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can give a folder away")
	}
	path := t.TempDir()
	if err := errors.Join(os.Chmod(path, 0o700), os.Chown(path, 12345, -1)); err != nil { //nolint:gosec // a folder's mode
		t.Fatal(err)
	}
	if _, err := openFolder(path); err == nil || !strings.Contains(err.Error(), "somebody else owns it") {
		t.Errorf("got %v, want it refused", err)
	}
}

// TestReadOnly says what is wrong with a disk that cannot be written.
func TestReadOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can mount a disk")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m,mode=0700"); err != nil {
		t.Skipf("skipped: a disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	text := "data: " + disk + "\nproviders: {v: {base_url: http://127.0.0.1:1, key: none, auth: none, dialects: {openai-chat: /c}}}"
	open := func() error {
		a, err := New(Options{Config: parse(t, text, nil), Env: env})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Start(t.Context()); err != nil {
			return err
		}
		return a.Stop(t.Context())
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), "read-only file system") || !strings.Contains(err.Error(), disk) {
		t.Errorf("got %v, want it told which file system is read-only", err)
	}
}
