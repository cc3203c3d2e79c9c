package app

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// files are the texts that are kept by name: in the data folder or, as long as there is
// none, in memory. Names are of our making.
type files struct {
	mu     sync.Mutex
	folder string // empty if there is none
	memory map[string][]byte
}

// use keeps everything in a folder from now on.
func (f *files) use(folder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.folder = folder
}

func (f *files) path(name string) string { return filepath.Join(f.folder, filepath.FromSlash(name)) }

// Read returns a text; fs.ErrNotExist if there is none of the name.
func (f *files) Read(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.folder == "" {
		content, ok := f.memory[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return slices.Clone(content), nil
	}
	return os.ReadFile(f.path(name)) //nolint:gosec // the name is ours
}

// Write replaces a text whole: after a crash there is the old one or the new one.
func (f *files) Write(name string, content []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.folder == "" {
		if f.memory == nil {
			f.memory = map[string][]byte{}
		}
		f.memory[name] = slices.Clone(content)
		return nil
	}
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, content)
}

// replace writes a file beside the old one, and puts it in its place when it is on the disk.
func replace(path string, content []byte) error {
	next := path + ".new"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // likewise
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(next, path)
	}
	return err
}

// Remove takes a text away.
func (f *files) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.folder == "" {
		delete(f.memory, name)
		return nil
	}
	return os.Remove(f.path(name))
}

// Names lists the names that begin with a folder's, which prefix ends with "/", sorted.
func (f *files) Names(prefix string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.folder == "" {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(f.memory)) {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		return names, nil
	}
	entries, err := os.ReadDir(f.path(prefix)) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasSuffix(e.Name(), ".new") {
			names = append(names, prefix+e.Name())
		}
	}
	return names, err
}
