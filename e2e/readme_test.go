//go:build unix

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// plainAsk is a request that every model takes.
const plainAsk = `{"model":"assistant","messages":[{"role":"user","content":"Where is Ada?"}]}`

// guides are the pages that are written by hand for users, the README first.
var guides = []string{"../README.md", "../docs/routing.md", "../docs/apis.md", "../docs/operating.md", "../docs/keys.md"}

// readme is the text of the guides, and their blocks of one language.
func readme(t *testing.T, language string) (text string, blocks []string) {
	t.Helper()
	for _, guide := range guides {
		b, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	for _, found := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, found[1])
	}
	if len(blocks) < 2 {
		t.Fatalf("README.md: got %d blocks of %s, want some", len(blocks), language)
	}
	return text, blocks
}

// readmeHouse runs the gateway with the README's config, in front of simulated vendors.
func readmeHouse(t *testing.T) *house {
	t.Helper()
	_, configs := readme(t, "yaml")
	h := &house{t: t, chat: startVendor(t), claude: startVendor(t)}
	text := configs[0]
	for old, replacement := range map[string]string{
		"127.0.0.1:8080":               "127.0.0.1:0",
		"127.0.0.1:8081":               "127.0.0.1:0",
		"{key: env:OPENAI_API_KEY}":    "{key: env:TEST_KEY, base_url: " + h.chat.RootURL() + "/v1}",
		"{key: env:ANTHROPIC_API_KEY}": "{key: env:TEST_KEY, base_url: " + h.claude.RootURL() + "}",
	} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("README.md: got %d times %q in its config, want it once", strings.Count(text, old), old)
		}
		text = strings.Replace(text, old, replacement, 1)
	}
	h.config = filepath.Join(t.TempDir(), "understudy.yaml")
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.start()
	return h
}

// TestReadmeCommands runs every command that the guides show, but for those that do not
// end by themselves and the demo, which CI runs.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	_, shell := readme(t, "sh")
	_, configs := readme(t, "yaml")
	const catalog = `[{"vendor": "openai", "id": "gpt-9", "limit": {"context": 1000000, "output": 1000},
		"modalities": {"input": ["text"], "output": ["text"]}}]`
	dir := t.TempDir()
	for name, content := range map[string]string{
		"understudy.yaml": configs[0],
		"request.json":    ask("assistant", false),
		"models.json":     catalog,
		"invoice.csv":     "Date,Model,Cost\n2026-11-01,gpt-5.4,0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := readmeHouse(t)
	token, err := h.told.find("shown this once: ")
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ = strings.Cut(token, "shown this once: ")
	ran := 0
	for _, line := range strings.Split(strings.Join(shell, "\n"), "\n") {
		line, _, _ = strings.Cut(line, "  #")
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "go run . ")
		if !ok || args == "demo" || strings.HasPrefix(args, "serve") {
			continue
		}
		ran++
		if word, _, _ := strings.Cut(args, " "); slices.Contains([]string{"health", "drill", "evacuate", "restore", "keys", "admins"}, word) {
			args = strings.NewReplacer("--for 10m", "--for 200ms", "--ramp 10m", "--ramp 200ms").Replace(args) + " --admin " + h.admin
		}
		if word, _, _ := strings.Cut(args, " "); word == "usage" || word == "ledger" {
			args += " --config " + h.config // whose ledger there is
		}
		cmd := exec.Command("sh", "-c", "understudy "+args)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "OPENAI_API_KEY=" + canary, "ANTHROPIC_API_KEY=" + canary, "UNDERSTUDY_ADMIN_TOKEN=" + token}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%s: got %v and\n%s\nwant success and some output", args, err, out)
		}
	}
	if ran < 5 {
		t.Errorf("README.md: got %d commands, want more", ran)
	}
}

// TestReadmeConfigs checks every config that the guides show.
func TestReadmeConfigs(t *testing.T) {
	t.Parallel()
	_, configs := readme(t, "yaml")
	programs := t.TempDir() // which are looked for, and not run
	for _, name := range []string{"op", "vault", "aws", "gcloud"} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/false\n"), 0o700); err != nil { //nolint:gosec // it is to be a program
			t.Fatal(err)
		}
	}
	for _, config := range configs {
		file := filepath.Join(t.TempDir(), "understudy.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("understudy", "check", "--config", file)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":" + programs, "OPENAI_API_KEY=" + canary, "ANTHROPIC_API_KEY=" + canary, "AZURE_KEY=" + canary, "WEB_KEY=" + canary + canary, "PROMETHEUS_TOKEN=us-" + canary + canary, "OTHER_KEY=" + canary}
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "note:") {
			t.Errorf("got %v and\n%s\nwant success without a note, for\n%s", err, out, config)
		}
	}
}

// TestReadmeFirstRequest sends the request of the README's curl command.
func TestReadmeFirstRequest(t *testing.T) {
	t.Parallel()
	text, _ := readme(t, "sh")
	found := regexp.MustCompile(`(?s)curl http://127\.0\.0\.1:8080(\S+) .*?-d '(.*?)'`).FindStringSubmatch(text)
	if found == nil {
		t.Fatal("README.md: got no curl command, want one")
	}
	h := readmeHouse(t)
	a := h.post(found[1], found[2])
	wantWhole(t, "curl", a, "Hello")
	if target, mode := a.header.Get("X-Understudy-Target"), a.header.Get("X-Understudy-Mode"); target != "anthropic/claude-sonnet-5" || mode != "translate" {
		t.Errorf("got target %s in mode %s, want Anthropic's model, translated", target, mode)
	}
}

// TestReadmeSDKs sends what each SDK sends when it is pointed here as the README says. The SDKs themselves are
// run in sdktest.
func TestReadmeSDKs(t *testing.T) {
	t.Parallel()
	sends := map[string]struct{ path, body string }{
		"OpenAI":    {"/chat/completions", plainAsk},
		"Azure":     {"/openai/deployments/assistant/chat/completions?api-version=2024-10-21", plainAsk},
		"Anthropic": {"/v1/messages", ask("assistant", false)},
		"Google":    {"/v1beta/models/assistant:generateContent", `{"contents":[{"parts":[{"text":"Where is Ada?"}]}]}`},
		"Cohere":    {"/v2/chat", plainAsk},
		"AWS":       {"/model/assistant/converse", `{"messages":[{"role":"user","content":[{"text":"Where is Ada?"}]}]}`},
		"Ollama":    {"/api/chat", `{"model":"assistant","stream":false,"messages":[{"role":"user","content":"Where is Ada?"}]}`},
	}
	text, _ := readme(t, "sh")
	h := readmeHouse(t)
	rows := regexp.MustCompile("(?m)^\\| (\\w+) \\| `.*\"http://127\\.0\\.0\\.1:8080([^\"]*)\".*` \\|$").FindAllStringSubmatch(text, -1)
	if len(rows) != len(sends) {
		t.Errorf("README.md: got %d SDKs, want %d", len(rows), len(sends))
	}
	for _, row := range rows {
		send, ok := sends[row[1]]
		if !ok {
			t.Errorf("README.md: got the SDK %s, want one that is known here", row[1])
			continue
		}
		a := h.post(row[2]+send.path, send.body)
		wantWhole(t, row[1], a, "Where is Ada?")
		if target := a.header.Get("X-Understudy-Target"); target != "openai/gpt-5.4" {
			t.Errorf("%s: got target %q, want the lead", row[1], target)
		}
	}
}

// TestReadmeHeaders finds every header that the guides name where it says.
func TestReadmeHeaders(t *testing.T) {
	t.Parallel()
	text, _ := readme(t, "sh")
	h := readmeHouse(t)
	lossy := `{"model":"anthropic/claude-sonnet-5","seed":1,"messages":[{"role":"user","content":"Where is Ada?"}]}`
	answer := h.post(chatPath, lossy)
	for _, found := range regexp.MustCompile("`(X-Understudy-[A-Za-z]+): (\\S+)`").FindAllStringSubmatch(text, -1) {
		if a := h.post(chatPath, plainAsk, found[1], found[2]); a.status != http.StatusOK {
			t.Errorf("%s: %s: got status %d and %.200s, want 200", found[1], found[2], a.status, a.body)
		}
		if found[1] == "X-Understudy-Tag" { // of which nothing is nonsense
			continue
		}
		if a := h.post(chatPath, plainAsk, found[1], "nonsense"); a.status != http.StatusBadRequest {
			t.Errorf("%s: nonsense: got status %d, want 400", found[1], a.status)
		}
	}
	if err := h.claude.SetFault(&fakeprovider.Fault{Kind: "overloaded-529"}); err != nil {
		t.Fatal(err)
	}
	failure := h.post(chatPath, lossy)
	for _, found := range regexp.MustCompile("`(X-Understudy-[A-Za-z-]+)`").FindAllStringSubmatch(text, -1) {
		if answer.header.Get(found[1]) == "" && failure.header.Get(found[1]) == "" {
			t.Errorf("%s: got it neither with an answer nor with an error, want it", found[1])
		}
	}
}
