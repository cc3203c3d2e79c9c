package app

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A data folder is its owner's alone, and one gateway's at a time (S96).
func TestFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "data")
	f, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(path); !errors.Is(err, errInUse) {
		t.Errorf("opened twice: got %v, want %v", err, errInUse)
	}
	f.close()
	again, err := openFolder(path)
	if err != nil {
		t.Fatalf("after it was closed: got %v, want it opened", err)
	}
	again.close()
	var none *folder
	none.close()
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want a folder of mode 0700", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o750); err != nil { //nolint:gosec // a folder that is too open is what is tested
		t.Fatal(err)
	}
	if _, err := openFolder(path); err == nil || !strings.Contains(err.Error(), "got mode 0750, want 0700") {
		t.Errorf("a folder that others can read: got %v, want it refused", err)
	}
}

// What is no folder of one's own is refused (S96).
func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if _, err := openFolder(path); err == nil {
			t.Errorf("%s: got no error, want one", path)
		}
	}
}

// TestData starts with and without a folder.
func TestData(t *testing.T) {
	for data, want := range map[string]bool{"none": false, "./kept": true} {
		c := parse(t, "data: "+data+"\nproviders: {v: {base_url: http://127.0.0.1:1, key: none, auth: none, dialects: {openai-chat: /c}}}", nil)
		start(t, c, &lockedBuffer{})
		if _, err := os.Stat(filepath.Join(filepath.Dir(c.File()), data)); (err == nil) != want {
			t.Errorf("data %s: got %v, want a folder: %v", data, err, want)
		}
	}
}

// TestLinkedFolder follows a link of one's own to a folder of one's own, and to no other; as root it also tries one that
// somebody else has made.
func TestLinkedFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: links have no owners on Windows")
	}
	dir := t.TempDir()
	private, shared, link := filepath.Join(dir, "private"), filepath.Join(dir, "shared"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(private, 0o700), os.Mkdir(shared, 0o755), os.Symlink(private, link)); err != nil { //nolint:gosec // a folder that is too open is what is tested
		t.Fatal(err)
	}
	f, err := openFolder(link)
	if err != nil {
		t.Fatalf("got %v, want the folder behind the link", err)
	}
	f.close()
	if err := os.Lchown(link, 1, 1); err == nil {
		if _, err := openFolder(link); err == nil || !strings.Contains(err.Error(), "somebody else") {
			t.Errorf("got %v, want a link of somebody else's refused", err)
		}
	}
	if err := errors.Join(os.Remove(link), os.Symlink(shared, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(link); err == nil || !strings.Contains(err.Error(), "0755") {
		t.Errorf("got %v, want a folder that others can read refused behind a link, too", err)
	}
}

// TestSharedKeys notes a file of keys that others can read (S96).
func TestSharedKeys(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: files have no modes on Windows")
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("sk-x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, "providers: {v: {use: openai, key: file:"+file+"}}", nil)
	if got := sharedKeys(c); len(got) != 0 {
		t.Errorf("got %q, want nothing about a file of mode 0600", got)
	}
	if err := os.Chmod(file, 0o644); err != nil { //nolint:gosec // a file that is too open is what is tested
		t.Fatal(err)
	}
	if got := sharedKeys(c); len(got) != 1 || !strings.Contains(got[0], "provider v: others can read") {
		t.Errorf("got %q, want a note about a file of mode 0644", got)
	}
}
