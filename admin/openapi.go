package admin

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Document is an OpenAPI document (https://spec.openapis.org/oas/v3.1.0), as far as this
// API needs one.
type Document map[string]any

// document is the API's own description, made of the rows of endpoints and of the types of
// their bodies.
func (a *api) document(*request) (Document, error) {
	s := schemas{}
	paths := map[string]any{}
	for _, e := range endpoints() {
		path, _ := paths[e.path].(map[string]any)
		if path == nil {
			path = map[string]any{}
			paths[e.path] = path
		}
		path[strings.ToLower(e.method)] = s.operation(e)
	}
	return Document{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Understudy admin API", "version": a.opts.Version,
			"description": "On the admin listener. Every path here wants a token, and says whose: each role, of viewer, operator and admin, may do what those before it may. A change that is asked for twice is made once.",
		},
		"paths":    paths,
		"security": []any{map[string]any{"token": []any{}}},
		"components": map[string]any{
			"schemas":         map[string]any(s),
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}},
		},
	}, nil
}

// hole is a parameter in a path.
var hole = regexp.MustCompile(`\{([a-z]+)\}`)

// schemas are the types that the document names, by their names.
type schemas map[string]any

func (s schemas) operation(e endpoint) map[string]any {
	parameters := []any{}
	for _, found := range hole.FindAllStringSubmatch(e.path, -1) {
		parameters = append(parameters, map[string]any{"name": found[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, q := range e.query {
		schema := q.schema
		if schema == nil {
			schema = map[string]any{"type": "string"}
		}
		parameters = append(parameters, map[string]any{"name": q.name, "in": "query", "description": q.doc, "schema": schema})
	}
	op := map[string]any{
		"summary": e.summary, "parameters": parameters,
		"responses": map[string]any{
			"200":     map[string]any{"description": "Done.", "content": s.content(e.out)},
			"default": map[string]any{"description": "Why not.", "content": s.content(reflect.TypeFor[errorBody]())},
		},
	}
	if e.in != nil && e.in != reflect.TypeFor[None]() {
		op["requestBody"] = map[string]any{"required": true, "content": s.content(e.in)}
	}
	description := "For " + string(e.role()) + "s."
	if e.changes() {
		description += " Asked for again, it changes nothing more."
	}
	op["description"] = description
	return op
}

func (s schemas) content(t reflect.Type) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": s.of(t)}}
}

// of is the schema of a type as encoding/json writes it; structs are named, and written once.
func (s schemas) of(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[Document]():
		return map[string]any{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		name := nameOf(t)
		if _, known := s[name]; !known {
			s[name] = map[string]any{} // a type may hold itself
			s[name] = s.object(t)
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	default:
		panic("BUG: admin: no schema for " + t.String())
	}
}

// nameOf names a struct for the document: drill.Report is DrillReport, and a list of them
// DrillReportList.
func nameOf(t reflect.Type) string {
	name := t.String()
	if inner, ok := strings.CutPrefix(name, "admin.List["); ok {
		inner = strings.TrimSuffix(inner, "]")
		return upper(inner[strings.LastIndexByte(inner, '/')+1:]) + "List"
	}
	return upper(name)
}

func upper(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(strings.TrimPrefix(name, "admin."), ".") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func (s schemas) object(t reflect.Type) map[string]any {
	properties := map[string]any{}
	required := []string{}
	s.fields(t, properties, &required)
	slices.Sort(required)
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// requiredOf lists the members that the document says a struct must have.
func requiredOf(t reflect.Type) []string {
	var required []string
	schemas{}.fields(t, map[string]any{}, &required)
	return required
}

// fields adds a struct's fields, those of embedded ones included.
func (s schemas) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		if f.Anonymous && !tagged {
			s.fields(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			panic("BUG: admin: " + t.String() + "." + f.Name + " has no name in JSON")
		}
		schema := s.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			schema = maps.Clone(schema)
			schema["description"] = doc
		}
		properties[name] = schema
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
		}
	}
}
