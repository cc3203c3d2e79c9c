package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestConfigPage(t *testing.T) { check(t, "config.md", configPage(t)) }

const configHead = "# The config file\n\nMade from the comments of `config.Config` and `provider.Facts`; do not edit, run `make docs`.\n\n" +
	"The file is YAML: `understudy.yaml`, or what `--config` names. It is read again when it changes and on SIGHUP; a new `listen`, `admin`,\n" +
	"`data`, `store`, `access.secret` or `limits` needs a restart. `understudy check` tells every mistake with its line, and prints what holds with the defaults filled in. Durations are\n" +
	"written `30s` or `5m`. NAME is of your choice, DIALECT one of the APIs in [losses.md](losses.md), and `[]` stands for each item of a list.\n"

// structs are the types of the file, as their source has them, by package and name.
type structs map[string]*ast.TypeSpec

// configPage is a table for each level of the file, in the order of the structs.
func configPage(t *testing.T) string {
	t.Helper()
	types := structs{}
	for pkg, file := range map[string]string{"config": "../config/config.go", "provider": "../provider/provider.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				for _, s := range g.Specs {
					spec := s.(*ast.TypeSpec) //nolint:forcetypeassert // token.TYPE has no others
					if spec.Doc == nil {
						spec.Doc = g.Doc
					}
					types[pkg+"."+spec.Name.Name] = spec
				}
			}
		}
	}
	var b strings.Builder
	b.WriteString(configHead)
	types.level(t, &b, "config.Config", "")
	return b.String()
}

// level writes the keys under a path, then those below them.
func (s structs) level(t *testing.T, b *strings.Builder, name, path string) {
	t.Helper()
	type below struct{ name, path string }
	var next []below
	title := "Top level"
	if path != "" {
		title = "`" + path + "`"
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if path != "" {
		keys := keysOf(s[name].Type.(*ast.StructType).Fields.List) //nolint:forcetypeassert // level is called for structs only
		b.WriteString(it(s[name].Name.Name, asText(s[name].Doc, keys)) + "\n\n")
	}
	b.WriteString("| key | |\n|---|---|\n")
	var rows func(name string)
	rows = func(name string) {
		fields := s[name].Type.(*ast.StructType).Fields.List //nolint:forcetypeassert // level is called for structs only
		keys := keysOf(fields)
		before := ""
		for _, f := range fields {
			inner, step := s.under(name, f.Type)
			if f.Tag != nil && strings.Contains(f.Tag.Value, ",inline") {
				rows(inner)
				continue
			}
			if len(f.Names) == 0 || keys[f.Names[0].Name] == "" {
				continue
			}
			field := f.Names[0].Name
			key := strings.Trim(keys[field], "`")
			text := asText(f.Doc, keys) + asText(f.Comment, keys)
			switch {
			case inner != "":
				at := strings.TrimPrefix(path+"."+key+step, ".")
				next = append(next, below{inner, at})
				text = strings.TrimSpace(text + " See below, `" + at + "`.")
			case text == "" && strings.Contains(before, keys[field]):
				fmt.Fprintf(b, "| `%s` | See above. |\n", key)
				continue
			case text == "":
				t.Errorf("%s.%s: got no comment, want one: it is the reference", name, field)
			}
			before = text
			fmt.Fprintf(b, "| `%s` | %s |\n", key, strings.ReplaceAll(text, "|", `\|`))
		}
	}
	rows(name)
	for _, n := range next {
		s.level(t, b, n.name, n.path)
	}
}

// under is the struct that a field's value holds, if one of ours, and the step that leads to it.
func (s structs) under(within string, typ ast.Expr) (name, step string) {
	pkg, _, _ := strings.Cut(within, ".")
	switch e := typ.(type) {
	case *ast.StarExpr:
		return s.under(within, e.X)
	case *ast.ArrayType:
		if name, _ = s.under(within, e.Elt); name == "" {
			return "", ""
		}
		for _, f := range s[name].Type.(*ast.StructType).Fields.List { //nolint:forcetypeassert // under returns structs
			if f.Tag != nil && strings.Contains(f.Tag.Value, `",name"`) {
				return name, ".NAME"
			}
		}
		return name, "[]"
	case *ast.MapType:
		name, _ = s.under(within, e.Value)
		return name, ".DIALECT"
	case *ast.Ident:
		name = pkg + "." + e.Name
	case *ast.SelectorExpr:
		name = fmt.Sprint(e.X) + "." + e.Sel.Name
	}
	if spec, ok := s[name]; ok {
		if _, ok := spec.Type.(*ast.StructType); ok {
			return name, ""
		}
	}
	return "", ""
}

// keysOf are the fields of a struct that stand in the file, with their keys in backquotes.
func keysOf(fields []*ast.Field) map[string]string {
	keys := map[string]string{}
	for _, f := range fields {
		if f.Tag == nil || len(f.Names) == 0 {
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value)
		if key, _, _ := strings.Cut(reflect.StructTag(tag).Get("yaml"), ","); key != "" && key != "-" {
			keys[f.Names[0].Name] = "`" + key + "`"
		}
	}
	return keys
}

var word = regexp.MustCompile(`[A-Za-z0-9_]+`)

// asText is a comment as one line, with keys where it has the names of fields.
func asText(comment *ast.CommentGroup, keys map[string]string) string {
	text := strings.Join(strings.Fields(comment.Text()), " ")
	return word.ReplaceAllStringFunc(text, func(w string) string {
		if key, ok := keys[w]; ok {
			return key
		}
		return w
	})
}

// it puts a pronoun where a comment begins with its type's name: the section's title has said what it is.
func it(name, text string) string {
	rest := strings.TrimPrefix(text, name+" ")
	if verb, _, _ := strings.Cut(rest, " "); strings.HasSuffix(verb, "s") {
		return "It " + rest
	}
	return "They " + rest
}
