package main_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the import rule: for a package's folder, the folders of ours it may import. "." is the root, "*" is
// anything, and a name that ends in "/*" is every folder below. Rows may stand for packages yet to be written.
// docs/architecture.md shows the same table; change both together, and say why in the commit.
var mayImport = map[string]string{
	".":            "cli",
	"cli":          "app admin/* config demo",
	"app":          "*", // only app names concrete dialects and stores
	"demo":         "app admin/* config internal/*",
	"bench":        "internal/*",
	"bench/*":      "internal/*",
	"console":      "", // a client of the admin API like any other
	"admin":        "llm access budget provider route continuity/* internal/*",
	"admin/*":      "llm access route continuity/* admin",
	"continuity/*": "llm route budget provider dialect",
	// A drill stands between the gateway and the transport.
	"continuity/drill": "llm route budget provider dialect transport",
	"telemetry":        "llm access budget gateway",
	"store/*":          "llm access budget route gateway internal/*",
	"gateway":          "llm dialect provider route access budget transport internal/*",
	"transport":        "llm provider internal/*",
	"route":            "llm dialect provider",
	"budget":           "llm access provider",
	"access":           "llm",
	"config":           "llm provider budget",
	"provider":         "llm dialect",
	// What wire formats have in common is in one place, which knows none of them.
	"dialect/*":     "llm dialect dialect/forms internal/*",
	"dialect/forms": "llm dialect internal/*",
	"dialect":       "llm",
	"llm":           "",
	// One reader for every framing, so that nobody else chooses among them.
	"internal/frames": "internal/frames/sse",
	// Both ends of the wire read heads by the same words.
	"internal/fastlane": "internal/headtext",
	"internal/*":        "",
}

// namesOnly lists the rows that may use dialect's names but none of the interfaces it declares: they speak of
// dialects and never call one.
var namesOnly = []string{"provider", "continuity/*"}

// dialectFiles are the files a dialect's folder always holds, so that a reader of one dialect can find the way
// around the next.
var dialectFiles = []string{
	"doc.go", "wire.go", "client.go", "provider.go", "stream.go", "errors.go", "relay.go", "testdata",
}

// emptyWords are folder names that say nothing about what is inside.
var emptyWords = []string{
	"base", "common", "core", "data", "helper", "helpers", "info", "manager", "models", "pkg", "processor",
	"services", "types", "util", "utils",
}

// maxRootFolders keeps the root listing short enough to be read as the architecture: the rows of mayImport, and little more.
const maxRootFolders = 24

func TestImports(t *testing.T) {
	tr := parseTree(t)
	for _, f := range tr.files {
		report(t, tr.imports(f))
	}
}

// TestPage holds the table of docs/architecture.md against the rule: a row for each package there is, in the same words.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	page := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z/*]+)` \\| .* \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		var may []string
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			may = append(may, name[1])
		}
		page[row[1]] = strings.Join(may, " ")
		if strings.HasPrefix(row[2], "everything") {
			page[row[1]] = "*"
		}
	}
	tr := parseTree(t)
	for name, may := range mayImport {
		folder := strings.TrimSuffix(name, "/*")
		if name == "." {
			name = "main"
		}
		exists := slices.Contains(tr.folders, folder) && (folder == name || hasBelow(tr, folder))
		shown, ok := page[name]
		switch {
		case !ok && exists:
			t.Errorf("docs/architecture.md: got no row for %s, want one", name)
		case ok && shown != may:
			t.Errorf("docs/architecture.md: got %s importing %q, want %q", name, shown, may)
		}
		delete(page, name)
	}
	for name := range page {
		t.Errorf("docs/architecture.md: got a row for %s, want none that the rule lacks", name)
	}
}

// hasBelow reports whether a folder has packages of its own below it.
func hasBelow(tr *tree, folder string) bool {
	return slices.ContainsFunc(tr.files, func(f file) bool { return path.Dir(f.folder) == folder })
}

func TestForbiddenCode(t *testing.T) {
	tr := parseTree(t)
	for _, f := range tr.files {
		report(t, tr.forbidden(f))
	}
}

func TestFolders(t *testing.T) {
	tr := parseTree(t)
	var root []string
	for _, folder := range tr.folders {
		if folder != "." && !strings.Contains(folder, "/") {
			root = append(root, folder)
		}
		if slices.Contains(emptyWords, path.Base(folder)) {
			t.Errorf("%s: got a folder named %q, want a name for what is inside", folder, path.Base(folder))
		}
	}
	if len(root) >= maxRootFolders {
		t.Errorf("root listing: got %d folders %v, want fewer than %d", len(root), root, maxRootFolders)
	}
	for _, f := range tr.files {
		report(t, placed(f))
	}
	for _, folder := range tr.folders {
		if _, hasRow := mayImport[folder]; path.Dir(folder) != "dialect" || isSuite(folder) || hasRow {
			continue
		}
		for _, name := range dialectFiles {
			if _, err := os.Stat(filepath.FromSlash(folder + "/" + name)); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: got no %s, want one in every dialect", folder, name)
			}
		}
	}
}

// TestRules breaks each rule once, so that a rule that stopped looking is noticed.
func TestRules(t *testing.T) {
	const inFunc = "package x; func f() { "
	for _, tc := range []struct {
		name, path, src, want string
	}{
		{"allowed", "route/a.go", `package route; import ("fmt"; "example.test/m/llm")`, ""},
		{"not in the row", "route/a.go", `package route; import "example.test/m/gateway"`, "may not import gateway"},
		{"row of a folder below", "store/redis/a.go", `package redis; import "example.test/m/app"`, "may not import app"},
		{"no row", "surprise/a.go", `package surprise`, "has no row"},
		{"no row, test only", "surprise/a_test.go", `package surprise`, ""},
		{"sibling", "dialect/one/a.go", `package one; import "example.test/m/dialect/two"`, "siblings"},
		{"what siblings share", "dialect/one/a.go", `package one; import "example.test/m/dialect/forms"`, ""},
		{"sibling of what is shared", "dialect/forms/a.go", `package forms; import "example.test/m/dialect/one"`, "siblings"},
		{"sibling in a test", "dialect/one/a_test.go", `package one; import "example.test/m/dialect/two"`, "siblings"},
		{"suite in a test", "dialect/one/a_test.go", `package one; import "example.test/m/dialect/dialecttest"`, ""},
		{"suite in the product", "dialect/one/a.go", `package one; import "example.test/m/dialect/dialecttest"`, "siblings"},
		{"test reaches further", "gateway/a_test.go", `package gateway; import "example.test/m/dialect/one"`, ""},
		{"dialect's names", "provider/a.go", `package provider; import "example.test/m/dialect"; var _ dialect.Name`, ""},
		{"dialect's sides", "provider/a.go", `package provider; import "example.test/m/dialect"; var _ dialect.Side`, "dialect.Side"},
		{"provider's name", "gateway/a.go", inFunc + `_ = "acme" }`, `provider's name "acme"`},
		{"provider's name in part", "gateway/a.go", inFunc + `_ = "acme-chat" }`, ""},
		{"provider's name in a test", "gateway/a_test.go", inFunc + `_ = "acme" }`, ""},
		{"init", "gateway/a.go", `package x; func init() {}`, "init"},
		{"default client", "gateway/a.go", `package x; import "net/http"; var _ = http.DefaultClient`, "http.DefaultClient"},
		{"default client, hidden", "gateway/a.go", `package x; import "net/http"; func f() { http.Get("") }`, "http.Get"},
		{"read all", "gateway/a.go", `package x; import "io"; func f(r io.Reader) { io.ReadAll(r) }`, "io.ReadAll"},
		{"read all, bounded", "gateway/a.go", `package x; import "io"; func f(r io.Reader) { io.ReadAll(io.LimitReader(r, 1)) }`, ""},
		{"scanner", "gateway/a.go", `package x; import "bufio"; var _ = bufio.NewScanner(nil)`, "bufio.NewScanner"},
		{"scanner at the terminal", "cli/a.go", `package x; import "bufio"; var _ = bufio.NewScanner(nil)`, ""},
		{"random", "gateway/a.go", `package x; import "math/rand/v2"`, "math/rand"},
		{"program", "gateway/a.go", `package x; import "os/exec"`, "os/exec"},
		{"program beside", "internal/program/group.go", `package program; import "os/exec"`, "os/exec"},
		{"program in its place", "internal/program/program.go", `package program; import "os/exec"`, ""},
		{"program in app", "app/a.go", `package app; import "os/exec"`, "os/exec"},
		{"program without os/exec", "app/a.go", `package app; import "os"; var _ = os.StartProcess`, "StartProcess"},
		{"program in a test", "gateway/a_test.go", `package x; import "os/exec"`, ""},
		{"profiles over HTTP", "app/a.go", `package x; import _ "net/http/pprof"`, "pprof"},
		{"unknown peer", "transport/a.go", `package x; var _ = tls.Config{InsecureSkipVerify: true}`, "InsecureSkipVerify"},
		{"random in jitter", "gateway/jitter.go", `package x; import "math/rand/v2"`, ""},
		{"package name", "route/a.go", `package routing`, "package routing"},
		{"package name of a test", "route/a_test.go", `package route_test`, ""},
		{"code in a provider", "provider/acme/a.go", `package acme`, "no Go code"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fset := token.NewFileSet()
			syntax, err := parser.ParseFile(fset, tc.path, tc.src, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			tr := &tree{
				fset: fset, module: "example.test/m",
				providers: []string{"acme"}, dialectInterfaces: []string{"Side"},
			}
			f := file{path: tc.path, folder: path.Dir(tc.path), isTest: strings.HasSuffix(tc.path, "_test.go"), syntax: syntax}
			found := append(tr.imports(f), tr.forbidden(f)...)
			if f.syntax.Name.Name != "x" { // "x" is said of code that could stand in any package
				found = append(found, placed(f)...)
			}
			got := strings.Join(found, "\n")
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q in it", got, tc.want)
			}
		})
	}
}

// onlyIn are imports with which a mistake is dear: programs started, memory read as something else, and text that a
// template makes of what it is given. They are left to few packages, or to a file.
var onlyIn = map[string][]string{
	"os/exec":        {"bench", "internal/program/program.go"},
	"plugin":         {},
	"unsafe":         {"bench", "cli"},
	"text/template":  {"demo"},
	"html/template":  {},
	"net/http/pprof": {},
	"expvar":         {},
}

// placed holds a file to its folder: a package is named for it, and a provider is facts alone.
func placed(f file) []string {
	if matches("provider/*", f.folder) {
		return []string{f.path + ": got Go in a provider's folder, want no Go code there"}
	}
	name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
	if name != "main" && name != path.Base(f.folder) {
		return []string{fmt.Sprintf("%s: got package %s, want it named for its folder", f.path, f.syntax.Name.Name)}
	}
	return nil
}

// row finds what a package may import: its own row, else that of the nearest folder above it.
func row(folder string) (allowed string, ok bool) {
	nearest := ""
	for p := range mayImport {
		if matches(p, folder) && len(p) >= len(nearest) {
			nearest, ok = p, true
		}
	}
	return mayImport[nearest], ok
}

func matches(pattern, folder string) bool {
	if pattern == "*" {
		return true
	}
	if above, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(folder, above+"/")
	}
	return pattern == folder
}

// isSuite reports whether folder holds a suite for its siblings' tests, such as dialect/dialecttest.
func isSuite(folder string) bool {
	return path.Base(folder) == path.Dir(folder)+"test"
}

// uses finds every mention of a member of the package imported as importPath.
func uses(f file, importPath string) []*ast.SelectorExpr {
	local := ""
	for _, spec := range f.syntax.Imports {
		if name, _ := strconv.Unquote(spec.Path.Value); name == importPath {
			local = path.Base(importPath)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	if local == "" {
		return nil
	}
	var found []*ast.SelectorExpr
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == local {
				found = append(found, sel)
			}
		}
		return true
	})
	return found
}

// boundedReads finds the functions called directly on a reader that has a limit.
func boundedReads(syntax *ast.File) []*ast.SelectorExpr {
	var found []*ast.SelectorExpr
	ast.Inspect(syntax, func(n ast.Node) bool {
		outer, ok := n.(*ast.CallExpr)
		if !ok || len(outer.Args) != 1 {
			return true
		}
		fn, ok := outer.Fun.(*ast.SelectorExpr)
		inner, isCall := outer.Args[0].(*ast.CallExpr)
		if !ok || !isCall {
			return true
		}
		if limit, ok := inner.Fun.(*ast.SelectorExpr); ok && (limit.Sel.Name == "LimitReader" || limit.Sel.Name == "MaxBytesReader") {
			found = append(found, fn)
		}
		return true
	})
	return found
}

func report(t *testing.T, found []string) {
	t.Helper()
	for _, line := range found {
		t.Error(line)
	}
}
