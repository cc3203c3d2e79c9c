// Package program runs a program of the operator's for what it prints. It is started without a shell, reads nothing, has the
// environment that it is given and no more time than that, and is ended with all that it has started. What it says on its
// standard error is shown nowhere. The package does not know what is printed, nor look at it.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"time"
)

// Program is what is to be run.
type Program struct {
	Words []string // the program, by its name on PATH or its absolute path, and its arguments
	Dir   string   // that it runs in
	Env   []string // name=value; nothing else of the environment is passed on
	Limit time.Duration
	Most  int // bytes that it may print
}

// grace is how long what a program has started may hold its output open when the program itself has ended.
const grace = 2 * time.Second

// Find returns where a program is. What is found in the current folder only is not found: who may write there is not who
// may say what is run.
func Find(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrDot):
		return "", errors.New("is found in the current folder only, where no program is started from")
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("is not found on PATH")
	case err != nil:
		return "", cannotStart(err)
	}
	return path, nil
}

// Run returns what the program prints, if it ends well. Errors say what became of it, and quote neither its arguments nor
// anything that it has printed; when ctx ends first, it is that of ctx.
func (p Program) Run(ctx context.Context) ([]byte, error) {
	path, err := Find(p.Words[0])
	if err != nil {
		return nil, err
	}
	limited, end := context.WithTimeout(ctx, p.Limit)
	defer end()
	out := output{most: p.Most, over: end}
	cmd := exec.CommandContext(limited, path, p.Words[1:]...) //nolint:gosec // it is the operator's, from the config
	cmd.Dir, cmd.Stdout = p.Dir, &out                         // no input, and what it says beside is thrown away
	cmd.Env = append([]string{}, p.Env...)                    // never nil, which would be all of ours
	cmd.SysProcAttr = apart()
	cmd.Cancel = func() error { return endAll(cmd.Process) }
	cmd.WaitDelay = grace
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case out.isOver:
		return nil, fmt.Errorf("printed more than %d bytes, and was ended", p.Most)
	case err == nil:
		return out.text.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err() //nolint:wrapcheck // as it is said
	case limited.Err() != nil:
		return nil, fmt.Errorf("did not end within %s, and was ended with all that it had started", p.Limit)
	case errors.Is(err, exec.ErrWaitDelay):
		_ = endAll(cmd.Process) // the rest of its group, which is there: it holds the output
		return nil, errors.New("left a program behind that holds its output open")
	case errors.As(err, &exit):
		return nil, errors.New("ended with " + exit.String())
	}
	return nil, cannotStart(err)
}

// cannotStart leaves out the path, which the error has twice.
func cannotStart(err error) error {
	var pe *fs.PathError
	var ee *exec.Error
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &ee):
		err = ee.Err
	}
	return fmt.Errorf("cannot be started: %w", err)
}

// output keeps what is printed, as long as it is not too much.
type output struct {
	text   bytes.Buffer
	most   int
	isOver bool
	over   func() // called when it is
}

var errOver = errors.New("too much")

// Write keeps p, or none of it.
func (o *output) Write(p []byte) (int, error) {
	if o.isOver || len(p) > o.most-o.text.Len() {
		o.isOver = true
		o.over()
		return 0, errOver
	}
	return o.text.Write(p) //nolint:wrapcheck // it has none
}
