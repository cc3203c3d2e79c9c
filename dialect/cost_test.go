//go:build unix && !race

package dialect_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// costly is what a place in a request is made into, so that whoever reads it has much to do for every byte.
var costly = map[string]func(size int, was any) any{
	"long text":  func(size int, _ any) any { return strings.Repeat("a ", size/2) },
	"escapes":    func(size int, _ any) any { return strings.Repeat("\u0001\"\\", size/12) },
	"data":       func(size int, _ any) any { return "data:image/png;base64," + strings.Repeat("iVBORw0K", size/8) },
	"not data":   func(size int, _ any) any { return "data:" + strings.Repeat(";,", size/2) },
	"JSON":       func(size int, _ any) any { return `{"a":[` + strings.Repeat("{},", size/4) + `{}]}` },
	"deep JSON":  func(size int, _ any) any { return strings.Repeat("[", size) },
	"many of it": func(size int, was any) any { return many(size, was) },
	"many keys": func(size int, _ any) any {
		m := map[string]any{}
		for i := range size / 16 {
			m[fmt.Sprintf("key%d", i)] = i % 10
		}
		return m
	},
	"a deep schema": func(size int, _ any) any {
		var v any = map[string]any{"type": "string"}
		for range 20 {
			v = map[string]any{"type": "object", "properties": map[string]any{"a": v, "b": map[string]any{"$ref": "#/$defs/x"}}, "anyOf": many(size/40, map[string]any{"type": "null"})}
		}
		return v
	},
	"a schema that requires much": func(size int, _ any) any {
		properties, required := map[string]any{}, []string{}
		for i := range size / 32 {
			name := fmt.Sprintf("p%d", i)
			properties[name], required = map[string]any{}, append(required, name)
		}
		return map[string]any{"type": "object", "properties": properties, "required": required}
	},
}

func many(size int, was any) any {
	list, ok := was.([]any)
	if !ok || len(list) == 0 {
		list = []any{was}
	}
	text, _ := json.Marshal(list)
	var out []any
	for range size/len(text) + 1 {
		out = append(out, list...)
	}
	return out
}

// places are the values in v, once each by their way to them, list elements not told apart.
func places(v any, at string, seen map[string]bool, f func(at string, was any, put func(any))) {
	visit := func(at string, was any, put func(any)) {
		if !seen[at] {
			seen[at] = true
			f(at, was, put)
		}
		places(was, at, seen, f)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			visit(at+"."+name, v[name], func(n any) { v[name] = n })
		}
	case []any:
		for i := range v {
			visit(at+"[]", v[i], func(n any) { v[i] = n })
		}
	}
}

// TestCostOfRequests holds every dialect to the time that a request may take to read and to write for another vendor,
// whatever stands at whatever place in it (S43, S44). The whole is tried with UNDERSTUDY_COST set, and a part of it
// else: everything costly in every dialect, at some places.
func TestCostOfRequests(t *testing.T) {
	alone(t)
	const size, each = 256 << 10, 100 * time.Millisecond // for a MiB
	all := os.Getenv("UNDERSTUDY_COST") != ""
	every := everyDialect()
	const oneIn = 11
	n, slowest := 0, time.Duration(0)
	for turn, from := range every {
		seen := map[string]bool{}
		fixtures, _ := filepath.Glob(filepath.Join(from.folder, "testdata", "*", "request.json"))
		for _, fixture := range fixtures {
			text, err := os.ReadFile(fixture)
			if err != nil {
				t.Fatal(err)
			}
			var request any
			if err := json.Unmarshal(text, &request); err != nil {
				t.Fatal(err)
			}
			places(request, "", seen, func(at string, was any, put func(any)) {
				defer put(was)
				for _, name := range slices.Sorted(maps.Keys(costly)) {
					if n++; !all && n%oneIn != 0 {
						continue
					}
					put(costly[name](size, was))
					body, err := json.Marshal(request)
					if err != nil {
						t.Fatal(err)
					}
					targets := every
					if !all {
						targets = every[(turn+n)%len(every):][:1]
					}
					for _, to := range targets {
						limit := 50*time.Millisecond + 4*each*time.Duration(len(body))/(1<<20)
						took := costOf(from, to, body)
						for tries := 0; took > limit && tries < 3; tries++ { // somebody else may have been busy
							took = min(took, costOf(from, to, body))
						}
						slowest = max(slowest, took)
						if took > limit {
							t.Errorf("%s at %s to %s: got %v for %d bytes, want at most %v", name, from.Name+dialect.Name(at), to.Name, took, len(body), limit)
						}
					}
				}
			})
		}
	}
	t.Logf("%d requests, at most %v", n, slowest)
}

// alone skips a test that measures but where it has the machine for itself. It is not parallel.
func alone(t *testing.T) {
	t.Helper()
	if os.Getenv("UNDERSTUDY_SWEEP") == "" {
		t.Skip("skipped: it wants the machine for itself, as in `.ci/run sweep`")
	}
}

// costOf is the CPU time that it takes to check a request, to read it, and to write it for a target.
func costOf(from, to spoken, body []byte) time.Duration {
	begun := spent()
	if _, err := jsontext.Parse(body); err != nil {
		return spent() - begun
	}
	_, _ = from.Relay.Peek(body)
	_, _ = from.Relay.SetModel(body, "model", dialect.Ask{})
	_, _, _ = from.Relay.Strip(body)
	if request, err := from.Client.DecodeRequest(body); err == nil {
		_, _ = to.Provider.EncodeRequest(request, dialect.Target{Model: "model"})
	}
	return spent() - begun
}
