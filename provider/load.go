package provider

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/understudy-ai/understudy/dialect"
)

//go:embed */provider.yaml */models.yaml
var files embed.FS

// Catalog is the facts of services by their IDs, which are the names of their
// folders. The facts are not to be changed. Its methods may be called concurrently.
type Catalog struct {
	ids []string // sorted

	mu sync.Mutex
	// What has been read of services so far, without the models of models.yaml and with
	// them: there are many, and most are not used.
	bare, whole map[string]Facts
}

// Known returns the services this program knows. Each catalog reads them anew, each
// service when it is first asked for.
func Known() *Catalog {
	names, err := fs.Glob(files, "*/provider.yaml")
	if err != nil {
		panic("BUG: provider: " + err.Error())
	}
	c := &Catalog{bare: map[string]Facts{}, whole: map[string]Facts{}}
	for _, name := range names {
		c.ids = append(c.ids, path.Dir(name))
	}
	slices.Sort(c.ids)
	return c
}

// IDs lists the services by name.
func (c *Catalog) IDs() []string { return slices.Clone(c.ids) }

// Usual lists some of the services that serve an API of their own with a key alone, those
// first whose dialects come first: examples for whoever has named none.
func (c *Catalog) Usual() []string {
	var ids []string
	for _, d := range dialect.All() {
		vendor, _, _ := strings.Cut(string(d), "-")
		if slices.Contains(c.ids, vendor) && !slices.Contains(ids, vendor) && c.KeyEnv(vendor) != "" {
			ids = append(ids, vendor)
		}
	}
	return ids
}

// KeyEnv is the environment variable that usually holds a service's key; empty if
// there is none, or if the key alone does not say where everybody's own address is.
func (c *Catalog) KeyEnv(id string) string {
	c.mu.Lock()
	f, _ := c.service(id)
	c.mu.Unlock()
	f.Complete()
	if f.Hole() != "" {
		return ""
	}
	return f.KeyEnv
}

// Facts returns what is known of a service; not if it is none of IDs.
func (c *Catalog) Facts(id string) (Facts, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.whole[id]; ok {
		return f, true
	}
	f, ok := c.service(id)
	if !ok {
		return Facts{}, false
	}
	if list, ok := KnownModels(id); ok {
		f.Models = list.All()
	}
	c.whole[id] = f
	return f, true
}

// service returns the provider.yaml of a service; not if it is none of IDs.
func (c *Catalog) service(id string) (Facts, bool) {
	if f, ok := c.bare[id]; ok {
		return f, true
	}
	if _, ok := slices.BinarySearch(c.ids, id); !ok {
		return Facts{}, false
	}
	name := id + "/provider.yaml"
	data, err := files.ReadFile(name)
	if err != nil {
		panic("BUG: provider: " + err.Error())
	}
	f, err := Parse(data, name)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	f.Vendor = cmp.Or(f.Vendor, id)
	c.bare[id] = f
	return f, true
}

// KnownModels returns the models.yaml of a service; not if it has none. Nothing is checked that a test can hold
// shipped files to, since every start waits for it.
func KnownModels(id string) (List, bool) {
	name := id + "/models.yaml"
	data, err := files.ReadFile(name)
	if err != nil {
		return List{}, false
	}
	head, written, _ := strings.Cut(string(data), "\nmodels:")
	head, hand, _ := strings.Cut(head, "\nby_hand:\n")
	list, _, err := decodeList([]byte(head), name)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	if hand != "" {
		list.ByHand, list.lay = readHand(hand + "\n")
	}
	if written != " []\n" {
		list.Models = readItems(mustCut(written, "\n"))
	}
	return list, true
}

// Parse reads the text of a provider.yaml, and says everything that is wrong with
// it, each with its line. file is how errors name it.
func Parse(data []byte, file string) (Facts, error) {
	var f Facts
	body, err := decode(data, file, &f)
	if err != nil {
		return Facts{}, err
	}
	return f, placed(f.Check(), file, body)
}

// decode reads the one YAML document that a file has into to, a pointer to a struct.
func decode(data []byte, file string, to any) (ast.Node, error) {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, yamlError(file, err, nil)
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: got %d documents, want one with facts", file, len(tree.Docs))
	}
	body := tree.Docs[0].Body
	if err := yaml.NodeToValue(body, to, yaml.Strict()); err != nil {
		return nil, yamlError(file, err, keys(reflect.TypeOf(to)))
	}
	return body, nil
}

// placed gives each problem its line.
func placed(found []Problem, file string, body ast.Node) error {
	if len(found) == 0 {
		return nil
	}
	lines := map[string]int{}
	noteLines(lines, "", body)
	problems := make([]error, len(found))
	for i, p := range found {
		problems[i] = fmt.Errorf("%s:%d: %w", file, lineOf(lines, p.Path), p)
	}
	return errors.Join(problems...)
}

// yamlError says where a file cannot be read, and at an unknown key which one may
// have been meant.
func yamlError(file string, err error, known []string) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	hint := ""
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		if key := Nearest(unknown.Token.Value, known); key != "" {
			hint = fmt.Sprintf(" (did you mean %q?)", key)
		}
	}
	return fmt.Errorf("%s:%d: %s%s", file, at.GetToken().Position.Line, at.GetMessage(), hint)
}

// noteLines notes the line of every key and list item under its dotted path.
func noteLines(lines map[string]int, at string, n ast.Node) {
	switch n := n.(type) {
	case ast.MapNode:
		for it := n.MapRange(); it.Next(); {
			key := it.Key().GetToken()
			below := join(at, key.Value)
			lines[below] = key.Position.Line
			noteLines(lines, below, it.Value())
		}
	case *ast.SequenceNode:
		for i, item := range n.Values {
			below := join(at, strconv.Itoa(i))
			lines[below] = item.GetToken().Position.Line
			noteLines(lines, below, item)
		}
	}
}

// lineOf is the line of path or of what is nearest above it.
func lineOf(lines map[string]int, path string) int {
	for path != "" {
		if line, ok := lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
	return 1
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// keys lists the keys of a struct and of all below it.
func keys(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keys(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var found []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "-" {
			found = append(found, key)
			found = append(found, keys(t.Field(i).Type)...)
		}
	}
	return found
}
