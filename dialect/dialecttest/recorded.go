package dialecttest

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

// Exchange is one recorded request, and what a vendor answered to it.
type Exchange struct {
	ID           string            `json:"id"`
	API          string            `json:"api"`
	Vendor       string            `json:"vendor"`
	Model        string            `json:"model"`
	Path         string            `json:"path"`
	RequestKind  string            `json:"request_kind"`
	RequestBody  json.RawMessage   `json:"request_body"`
	Status       int               `json:"status"` // 0 where the request was not recorded
	Header       map[string]string `json:"response_headers"`
	ResponseKind string            `json:"response_kind"`
	ResponseBody json.RawMessage   `json:"response_body"`
	Flags        []string          `json:"flags"`
}

// Answer is the body of the answer as it was on the wire. Of a stream without its framing ("jsonl") it is a line an
// event.
func (x *Exchange) Answer(t *testing.T) []byte {
	t.Helper()
	if x.ResponseKind == "json" {
		return x.ResponseBody
	}
	var text string
	if err := json.Unmarshal(x.ResponseBody, &text); err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	if x.ResponseKind != "eventstream" && x.ResponseKind != "bytes" {
		return []byte(text)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	return raw
}

// Frames are the events of a recorded stream.
func (x *Exchange) Frames(t *testing.T, framing dialect.Framing) []dialect.Frame {
	t.Helper()
	if x.ResponseKind != "jsonl" {
		return FramesOf(t, framing, x.Answer(t))
	}
	var list []dialect.Frame
	for line := range strings.Lines(string(x.Answer(t))) {
		if line = strings.TrimSpace(line); json.Valid([]byte(line)) { // one was written by hand, and is none
			list = append(list, dialect.Frame{Data: []byte(line)})
		}
	}
	return list
}

// Reference is the folder of recorded exchanges and API descriptions, which are kept beside the project and not in it.
// Where it is absent, the test is skipped.
func Reference(t *testing.T) string {
	t.Helper()
	root, err := os.Getwd()
	for err == nil {
		if _, err = os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if up := filepath.Dir(root); up != root {
			root, err = up, nil
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "..", "shared")
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		t.Skipf("no recorded exchanges: %s is absent", folder)
	}
	return folder
}

// Recorded calls f for the recorded exchanges of some wire APIs: each of them if every is 1, one in so many if it is
// more.
func Recorded(t *testing.T, every int, f func(*Exchange), apis ...string) {
	t.Helper()
	for _, api := range apis {
		file := filepath.Join(Reference(t), "corpus", api+".jsonl.gz")
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) { // too few for a file of their own
			file = filepath.Join(filepath.Dir(file), "misc.jsonl.gz")
		}
		readRecorded(t, file, every, func(x *Exchange) {
			if x.API == api {
				f(x)
			}
		})
	}
}

// OneIn is the every of Recorded for tests of which a part is enough: n, or 1 in a whole sweep (.ci/run race).
func OneIn(n int) int {
	if os.Getenv("UNDERSTUDY_SWEEP") != "" {
		return 1
	}
	return n
}

func readRecorded(t *testing.T, file string, every int, f func(*Exchange)) {
	t.Helper()
	kept, _ := recordings.LoadOrStore(file, sync.OnceValues(func() ([]*recording, error) { return unzip(file) }))
	all, err := kept.(func() ([]*recording, error))()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(all); n += every {
		x, err := all[n].exchange()
		if err != nil {
			t.Fatal(err)
		}
		f(&x)
	}
}

// recordings are the files that were read, each once for all tests of a package: func() ([]*recording, error) by path.
var recordings sync.Map

// recording is a line of a file, which is parsed when it is first asked for.
type recording struct {
	once sync.Once
	line []byte
	x    Exchange
	err  error
}

// exchange returns a copy, whose bodies nobody writes to.
func (r *recording) exchange() (Exchange, error) {
	r.once.Do(func() {
		r.err = json.Unmarshal(r.line, &r.x)
		r.line = nil
	})
	return r.x, r.err
}

func unzip(file string) ([]*recording, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReaderSize(unzipped, 1<<20) // most lines fit, which then are copied once
	var all []*recording
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			all = append(all, &recording{line: line})
		}
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
	}
}
