package main_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tree is the product's Go source, parsed, and what the rules need to know about it as a whole.
type tree struct {
	fset    *token.FileSet
	module  string
	folders []string // every folder, slash-separated, ignored ones and other modules left out
	files   []file
	// providers are the folder names under provider/.
	providers []string
	// dialectInterfaces are the interfaces declared in package dialect.
	dialectInterfaces []string
}

// file is one Go file; its path is slash-separated and relative to the root.
type file struct {
	path   string
	folder string
	isTest bool
	syntax *ast.File
}

// imports holds f to the import rule. Tests may reach further than the code they test, but not to its siblings.
func (tr *tree) imports(f file) []string {
	allowed, ok := row(f.folder)
	if !ok && !f.isTest {
		return []string{fmt.Sprintf("%s: package %s has no row in mayImport, want one", f.path, f.folder)}
	}
	var found []string
	for _, spec := range f.syntax.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		ours, ok := strings.CutPrefix(name, tr.module+"/")
		if !ok || ours == f.folder {
			continue
		}
		at := tr.fset.Position(spec.Pos())
		switch {
		case path.Dir(ours) != "." && path.Dir(ours) == path.Dir(f.folder):
			isShared := slices.Contains(strings.Fields(allowed), ours) // the row names it, and not a pattern
			if !isShared && (!f.isTest || !isSuite(ours)) {
				found = append(found, fmt.Sprintf("%s: %s imports %s, want siblings apart", at, f.folder, ours))
			}
		case f.isTest:
		case !slices.ContainsFunc(strings.Fields(allowed), func(p string) bool { return matches(p, ours) }):
			found = append(found, fmt.Sprintf("%s: %s may not import %s, want one of [%s]", at, f.folder, ours, allowed))
		}
	}
	if slices.ContainsFunc(namesOnly, func(p string) bool { return matches(p, f.folder) }) && !f.isTest {
		for _, use := range uses(f, tr.module+"/dialect") {
			if slices.Contains(tr.dialectInterfaces, use.Sel.Name) {
				found = append(found, fmt.Sprintf("%s: got dialect.%s in %s, want only dialects' names",
					tr.fset.Position(use.Pos()), use.Sel.Name, f.folder))
			}
		}
	}
	return found
}

// forbidden looks for code that is a mistake wherever it stands.
func (tr *tree) forbidden(f file) []string {
	var found []string
	add := func(at token.Pos, format string, args ...any) {
		found = append(found, tr.fset.Position(at).String()+": "+fmt.Sprintf(format, args...))
	}
	for _, decl := range f.syntax.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			add(fn.Pos(), "got an init function, want what it does done by a caller")
		}
	}
	if f.isTest {
		return found
	}
	if !matches("provider/*", f.folder) && f.folder != "provider" {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, _ := strconv.Unquote(lit.Value); slices.Contains(tr.providers, s) {
					add(lit.Pos(), "got provider's name %q in Go, want the fact that differs in its provider.yaml", s)
				}
			}
			return true
		})
	}
	for _, use := range uses(f, "net/http") {
		switch use.Sel.Name {
		case "DefaultClient", "Get", "Head", "Post", "PostForm":
			add(use.Pos(), "got http.%s, want a client with its own limits", use.Sel.Name)
		}
	}
	for _, use := range uses(f, "bufio") {
		if use.Sel.Name == "NewScanner" && f.folder != "cli" {
			add(use.Pos(), "got bufio.NewScanner, want a reader that survives a long line")
		}
	}
	for _, use := range append(uses(f, "os"), uses(f, "syscall")...) {
		switch use.Sel.Name {
		case "StartProcess", "ForkExec", "Exec":
			add(use.Pos(), "got %s, want programs started in %s alone", use.Sel.Name, onlyIn["os/exec"])
		}
	}
	bounded := boundedReads(f.syntax)
	for _, use := range uses(f, "io") {
		if use.Sel.Name == "ReadAll" && !slices.Contains(bounded, use) {
			add(use.Pos(), "got io.ReadAll, want it around an io.LimitReader or http.MaxBytesReader")
		}
	}
	for _, spec := range f.syntax.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if (name == "math/rand" || name == "math/rand/v2") && path.Base(f.path) != "jitter.go" {
			add(spec.Pos(), "got %s, want crypto/rand, or the code in jitter.go", name)
		}
		if places, ok := onlyIn[name]; ok && !slices.Contains(places, f.folder) && !slices.Contains(places, f.path) {
			add(spec.Pos(), "got %s, want it only in %v", name, places)
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" {
			add(id.Pos(), "got InsecureSkipVerify, want peers that show who they are")
		}
		return true
	})
	return found
}

// parsed is the tree of the first test that asked for it, which is that of all.
var parsed *tree

// parseTree reads the files itself. `go test` then knows which files the result depends on; had it asked `go list`, a
// cached pass would outlive the change that breaks the rule.
func parseTree(t *testing.T) *tree {
	t.Helper()
	if parsed != nil {
		return parsed
	}
	tr := &tree{fset: token.NewFileSet(), module: moduleName(t)}
	ignored := ignoredFolders(t)
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if name != "." && (strings.HasPrefix(path.Base(name), ".") || path.Base(name) == "testdata" ||
				slices.Contains(ignored, path.Base(name)) || slices.Contains(ignored, "/"+name)) {
				return fs.SkipDir
			}
			tr.folders = append(tr.folders, name)
			if _, err := os.Stat(name + "/go.mod"); err == nil && name != "." {
				return fs.SkipDir // a module of its own, with rules of its own
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		syntax, err := parser.ParseFile(tr.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		tr.files = append(tr.files, file{
			path: name, folder: path.Dir(name), isTest: strings.HasSuffix(name, "_test.go"), syntax: syntax,
		})
		return nil
	})
	if err != nil {
		t.Fatalf("read the source: %v", err)
	}
	for _, folder := range tr.folders {
		if path.Dir(folder) == "provider" {
			tr.providers = append(tr.providers, path.Base(folder))
		}
	}
	for _, f := range tr.files {
		if f.folder == "dialect" {
			tr.dialectInterfaces = append(tr.dialectInterfaces, interfaces(f.syntax)...)
		}
	}
	parsed = tr
	return tr
}

func interfaces(syntax *ast.File) []string {
	var found []string
	ast.Inspect(syntax, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if _, ok := spec.Type.(*ast.InterfaceType); ok {
				found = append(found, spec.Name.Name)
			}
		}
		return true
	})
	return found
}

func moduleName(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	return strings.TrimPrefix(strings.TrimSpace(first), "module ")
}

// ignoredFolders reads .gitignore's folders, which are what a build or a run leaves behind. One that begins with a
// slash stands at the root.
func ignoredFolders(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, "/") {
			found = append(found, strings.TrimSuffix(line, "/"))
		}
	}
	return found
}
