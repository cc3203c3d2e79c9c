package cli

import (
	"io"
	"os"
	"sync"
)

// output is where results go. It remembers that one could not be written, so that no command is done whose result is lost.
type output struct {
	w io.Writer

	mu     sync.Mutex
	failed error
}

// Write passes on to the writer behind it.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.failed = err
	}
	return n, err //nolint:wrapcheck // a writer passes the error of the one behind it on
}

// err is why a result could not be written; nil if all could.
func (o *output) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// fileOf is the file that a writer writes to, if it does.
func fileOf(w io.Writer) (*os.File, bool) {
	if o, ok := w.(*output); ok {
		w = o.w
	}
	f, ok := w.(*os.File)
	return f, ok
}

// isNull reports whether what is written to w is lost, as where a program was started without an output.
func isNull(w io.Writer) bool {
	f, ok := fileOf(w)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// isSameFile reports whether two writers write to one file that is no terminal.
func isSameFile(a, b io.Writer) bool {
	one, ok := fileOf(a)
	other, also := fileOf(b)
	if !ok || !also || isTerminal(a) {
		return false
	}
	here, err := one.Stat()
	if err != nil {
		return false
	}
	there, err := other.Stat()
	return err == nil && os.SameFile(here, there)
}
