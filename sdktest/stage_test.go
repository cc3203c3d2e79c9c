package sdktest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// routes are the models of testdata/scenarios.json for one SDK: the vendor of its own behind the
// gateway, the other one, and its own first with the other one as the understudy.
type routes struct{ Own, Other, First string }

func (r routes) both() []string { return []string{r.Own, r.Other} }

// scenarios is what the three languages share.
var scenarios = mustDecode[struct {
	Routes map[string]routes
	Usage  struct {
		Reply     fakeprovider.Reply
		OpenAI    struct{ Prompt, Completion, Total, Cached int64 }
		Anthropic struct{ Input, Output, CacheRead, CacheWrite int64 }
	}
	Tools struct {
		Results map[string]string
		Turns   []fakeprovider.Reply
		Said    string
	}
	Citations struct {
		Reply fakeprovider.Reply
		URLs  []string
	}
	Thinking struct {
		Thought, Said string
		Tools         fakeprovider.Reply
	}
	Errors []struct {
		Fault             string
		OpenAI, Anthropic map[string]int
	}
	Failover struct{ Unary, Stream []string }
	Broken   []string
	Every    []string // the models behind which each vendor stands alone
	Blind    []string // those that take no images
}]("scenarios.json")

var pixel, page = mustRead("pixel.png"), mustRead("page.pdf")

// theStage is the program vendors, started by TestMain, for the tests that do not run in parallel.
var theStage stage

func mustRead(name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		panic(err)
	}
	return b
}

func mustDecode[T any](name string) (v T) {
	if err := json.Unmarshal(mustRead(name), &v); err != nil {
		panic(err)
	}
	return v
}

func TestMain(m *testing.M) {
	code, err := play(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sdktest:", err, "(sdktest/run sets the stage)")
		code = 1
	}
	os.Exit(code)
}

func play(m *testing.M) (code int, err error) {
	var end func() error
	if theStage, end, err = startStage(); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, end()
}

// startStage starts the program vendors. It runs until end is called.
func startStage() (s stage, end func() error, err error) {
	cmd := exec.Command(os.Getenv("VENDORS"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return stage{}, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return stage{}, nil, err
	}
	if err := cmd.Start(); err != nil {
		return stage{}, nil, fmt.Errorf("start $VENDORS: %w", err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return stage{}, nil, fmt.Errorf("read the addresses: %w", err)
	}
	if err := json.Unmarshal(line, &s); err != nil {
		return stage{}, nil, fmt.Errorf("read the addresses: %w", err)
	}
	end = func() error {
		if err := in.Close(); err != nil {
			return err
		}
		return cmd.Wait()
	}
	return s, end, nil
}

// stage is the control address of the program vendors, and the gateway's.
type stage struct{ Gateway, Control string }

// set returns the stage as it is at the start of a test.
func set(t *testing.T) stage {
	t.Helper()
	theStage.call(t, "/reset", map[string]any{}, nil)
	return theStage
}

func (s stage) call(t *testing.T, path string, body, into any) {
	t.Helper()
	method, text := http.MethodGet, []byte(nil)
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.Control+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got status %d, want 200", path, resp.StatusCode)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

func (s stage) fault(t *testing.T, vendor, kind string) {
	t.Helper()
	s.call(t, "/fault", map[string]any{"vendor": vendor, "kind": kind}, nil)
}

func (s stage) faultOnce(t *testing.T, vendor, kind string) {
	t.Helper()
	s.call(t, "/fault", map[string]any{"vendor": vendor, "kind": kind, "once": true}, nil)
}

func (s stage) replies(t *testing.T, vendor string, replies ...fakeprovider.Reply) {
	t.Helper()
	s.call(t, "/replies", map[string]any{"vendor": vendor, "replies": replies}, nil)
}

// seen is an entry of a vendor's journal.
type seen struct {
	Fault     string
	Cancelled int64
	Body      map[string]any
}

func (s stage) journal(t *testing.T, vendor string) (all []seen) {
	t.Helper()
	s.call(t, "/journal?vendor="+vendor, nil, &all)
	return all
}

// wantCounts checks how many requests the vendors got.
func (s stage) wantCounts(t *testing.T, openai, anthropic int) {
	t.Helper()
	gotOpenAI, gotAnthropic := len(s.journal(t, "openai")), len(s.journal(t, "anthropic"))
	if gotOpenAI != openai || gotAnthropic != anthropic {
		t.Errorf("got %d requests to OpenAI and %d to Anthropic want %d and %d", gotOpenAI, gotAnthropic, openai, anthropic)
	}
}

// wantCancelled checks that the vendor saw its client leave within a second.
func (s stage) wantCancelled(t *testing.T, vendor string, left time.Time) {
	t.Helper()
	for time.Since(left) < time.Minute {
		if all := s.journal(t, vendor); len(all) > 0 && all[len(all)-1].Cancelled != 0 {
			if took := time.UnixMilli(all[len(all)-1].Cancelled).Sub(left); took > time.Second {
				t.Errorf("got the call to the vendor cancelled after %v want at most 1s", took)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("got the call to the vendor still open after a minute want it cancelled")
}

func vendorOf(model string) string {
	vendor, _, _ := strings.Cut(model, "-")
	return vendor
}

func runTool(t *testing.T, name, arguments string) string {
	t.Helper()
	var args map[string]string
	if err := json.Unmarshal([]byte(arguments), &args); err != nil {
		t.Fatalf("%s: got arguments %q: %v", name, arguments, err)
	}
	return strings.ReplaceAll(scenarios.Tools.Results[name], "{city}", args["city"])
}

var citySchema = map[string]any{
	"type": "object", "additionalProperties": false, "required": []string{"name", "people", "rivers"},
	"properties": map[string]any{
		"name": map[string]any{"type": "string"}, "people": map[string]any{"type": "integer"},
		"rivers": map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
	},
}

func wantCity(t *testing.T, text string) {
	t.Helper()
	var city struct {
		Name   string
		People int
		Rivers []string
	}
	if err := json.Unmarshal([]byte(text), &city); err != nil || city.Name == "" || city.People != 7 || len(city.Rivers) == 0 {
		t.Errorf("got %q (%v) want a city of 7 people with rivers", text, err)
	}
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got text %q want %q", got, want)
	}
}
