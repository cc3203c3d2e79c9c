package admin

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestDocument calls every row of the API, and holds each answer against what the document says of it. A row that
// has no case here fails.
func TestDocument(t *testing.T) {
	w := newWorld(t)
	var doc map[string]any
	rec := w.ask("GET", "/v1/openapi.json", "")
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["openapi"] != "3.1.0" || doc["info"].(map[string]any)["version"] != "1.2.3" {
		t.Errorf("got %v and %v, want OpenAPI 3.1.0 of version 1.2.3", doc["openapi"], doc["info"])
	}
	const drillBody = `{"provider":"acme","fault":"reset","seconds":600,"share":0.5,"abort_if":"client_failures > 0"}`
	const keyBody = `{"name":"The web","user":"ada","team":"search","organisation":"acme","models":["assistant","openai/*"],"limits":{"requests_per_minute":60},"expires":"2027-01-31T12:00:00Z","tags":["x"]}`
	asked := map[string]bool{}
	for _, tc := range []struct{ method, row, path, body string }{
		{"GET", "/v1/openapi.json", "", ""},
		{"GET", "/v1/faults", "", ""},
		{"GET", "/v1/faults", "/v1/faults?limit=2&after=reset", ""},
		{"PUT", "/v1/drills/{id}", "/v1/drills/one", drillBody},
		{"PUT", "/v1/drills/{id}", "/v1/drills/one", drillBody}, // again
		{"GET", "/v1/drills", "", ""},
		{"GET", "/v1/drills/{id}", "/v1/drills/one", ""},
		{"POST", "/v1/drills/{id}/stop", "/v1/drills/one/stop", ""},
		{"POST", "/v1/drills/{id}/stop", "/v1/drills/one/stop", "{}"}, // again
		{"GET", "/v1/health", "", ""},
		{"POST", "/v1/health/{provider}/forget", "/v1/health/acme/forget", ""},
		{"GET", "/v1/evacuations/{provider}/plan", "/v1/evacuations/acme/plan", ""},
		{"PUT", "/v1/evacuations/{provider}", "/v1/evacuations/acme", `{"ramp_seconds":60}`},
		{"PUT", "/v1/evacuations/{provider}", "/v1/evacuations/acme", `{"ramp_seconds":60}`}, // again
		{"GET", "/v1/evacuations", "", ""},
		{"GET", "/v1/evacuations/{provider}", "/v1/evacuations/acme", ""},
		{"DELETE", "/v1/evacuations/{provider}", "/v1/evacuations/acme?ramp_seconds=0", ""},
		{"DELETE", "/v1/evacuations/{provider}", "/v1/evacuations/acme", ""}, // again
		{"PUT", "/v1/keys/{id}", "/v1/keys/web", keyBody},
		{"PUT", "/v1/keys/{id}", "/v1/keys/web", keyBody}, // again
		{"GET", "/v1/keys", "", ""},
		{"GET", "/v1/keys/{id}", "/v1/keys/web", ""},
		{"PATCH", "/v1/keys/{id}", "/v1/keys/web", `{"models":["*"],"limits":{"concurrent":2},"expires":"2027-01-31T00:00:00Z","disabled":false}`},
		{"PUT", "/v1/keys/{id}/rotations/{rotation}", "/v1/keys/web/rotations/one", `{"overlap_seconds":60}`},
		{"PUT", "/v1/keys/{id}/rotations/{rotation}", "/v1/keys/web/rotations/one", `{"overlap_seconds":60}`}, // again
		{"DELETE", "/v1/keys/{id}", "/v1/keys/web", ""},
		{"DELETE", "/v1/keys/{id}", "/v1/keys/web", ""}, // again
		{"PUT", "/v1/administrators/{name}", "/v1/administrators/ada", `{"role":"operator","expires":"2027-01-31T12:00:00Z"}`},
		{"PUT", "/v1/administrators/{name}", "/v1/administrators/ada", `{"role":"operator","expires":"2027-01-31T12:00:00Z"}`}, // again
		{"GET", "/v1/administrators", "", ""},
		{"GET", "/v1/administrators/{name}", "/v1/administrators/ada", ""},
		{"PATCH", "/v1/administrators/{name}", "/v1/administrators/ada", `{"role":"viewer","expires":""}`},
		{"PUT", "/v1/administrators/{name}/rotations/{rotation}", "/v1/administrators/ada/rotations/one", `{"overlap_seconds":60}`},
		{"DELETE", "/v1/administrators/{name}", "/v1/administrators/ada", ""},
		{"DELETE", "/v1/administrators/{name}", "/v1/administrators/ada", ""}, // again
		{"GET", "/v1/audit", "", ""},
		{"GET", "/v1/usage", "", ""},
		{"GET", "/v1/usage", "/v1/usage?by=team,key&since=2026-11-01&until=2026-11-30&limit=1&after=team%1fkey%1f", ""},
		{"GET", "/v1/ledger/verification", "", ""},
		{"GET", "/v1/audit", "/v1/audit?limit=2&after=5", ""},
		{"PUT", "/v1/budgets/{account}/{period}", "/v1/budgets/team:search/month", `{"most_usd":"500"}`},
		{"PUT", "/v1/budgets/{account}/{period}", "/v1/budgets/team:search/month", `{"most_usd":"500.25","soft":true}`},
		{"GET", "/v1/budgets", "", ""},
		{"DELETE", "/v1/budgets/{account}/{period}", "/v1/budgets/team:search/month", ""},
		{"DELETE", "/v1/budgets/{account}/{period}", "/v1/budgets/team:search/month", ""}, // again
	} {
		path := tc.path
		if path == "" {
			path = tc.row
		}
		asked[tc.method+" "+tc.row] = true
		rec := w.ask(tc.method, path, tc.body)
		if rec.Code != 200 {
			t.Errorf("%s %s: got status %d and %s, want 200", tc.method, path, rec.Code, rec.Body)
			continue
		}
		if got := rec.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s %s: got content type %q, want JSON", tc.method, path, got)
		}
		v := validator{t: t, doc: doc}
		op := v.at("paths", tc.row, strings.ToLower(tc.method))
		v.holds(tc.method+" "+path, rec.Body.String(), v.in(op, "responses", "200", "content", "application/json", "schema"))
		if tc.body != "" && tc.body != "{}" {
			v.holds(tc.method+" "+path+" asks", tc.body, v.in(op, "requestBody", "content", "application/json", "schema"))
		}
	}
	for _, e := range endpoints() {
		if !asked[e.method+" "+e.path] {
			t.Errorf("%s %s: got no case in this test, want one", e.method, e.path)
		}
		delete(asked, e.method+" "+e.path)
		if e.summary == "" {
			t.Errorf("%s %s: got no summary", e.method, e.path)
		}
	}
	for row := range asked {
		t.Errorf("%s: got a case of a row that there is not", row)
	}
	// Errors have one form, which the document has, too.
	v := validator{t: t, doc: doc}
	for _, path := range []string{"/v1/drills/none", "/v1/none", "/v1/drills?limit=x"} {
		v.holds(path, w.ask("GET", path, "").Body.String(), v.at("components", "schemas", "ErrorBody"))
	}
	w.auditOf(t)
}

// auditOf finds a line for each change, and none for a look.
func (w *world) auditOf(t *testing.T) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, `"msg":"admin change"`) {
			lines = append(lines, line)
		}
	}
	if len(lines) != 26 {
		t.Fatalf("got %d lines of changes, want 26:\n%s", len(lines), w.log.String())
	}
	for _, want := range []string{`"by":"admin token"`, `"from":"192.0.2.1:1234"`, `"method":"PUT"`, `"path":"/v1/drills/one"`, `\"share\":0.5`, `"outcome":"done"`} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("got %s, want %s in it", lines[0], want)
		}
	}
}

// validator holds JSON against the document's schemas, as far as they go.
type validator struct {
	t   *testing.T
	doc map[string]any
}

func (v validator) at(path ...string) map[string]any { return v.in(v.doc, path...) }

func (v validator) in(from map[string]any, path ...string) map[string]any {
	v.t.Helper()
	for _, name := range path {
		next, ok := from[name].(map[string]any)
		if !ok {
			v.t.Fatalf("the document has no %v", path)
		}
		from = next
	}
	return from
}

func (v validator) holds(name, text string, schema map[string]any) {
	v.t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		v.t.Errorf("%s: got %s, want JSON: %v", name, text, err)
		return
	}
	if wrong := v.check("$", value, schema); wrong != "" {
		v.t.Errorf("%s: got %s, which is not as the document says: %s", name, text, wrong)
	}
}

func (v validator) check(at string, value any, schema map[string]any) string {
	if ref, ok := schema["$ref"].(string); ok {
		schema = v.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	switch x := value.(type) {
	case map[string]any:
		if schema["type"] != "object" {
			return fmt.Sprintf("%s is an object, not %v", at, schema["type"])
		}
		return v.object(at, x, schema)
	case []any:
		if schema["type"] != "array" {
			return fmt.Sprintf("%s is an array, not %v", at, schema["type"])
		}
		for i, one := range x {
			if wrong := v.check(fmt.Sprintf("%s[%d]", at, i), one, schema["items"].(map[string]any)); wrong != "" {
				return wrong
			}
		}
	case string:
		if schema["type"] != "string" {
			return fmt.Sprintf("%s is a string, not %v", at, schema["type"])
		}
	case bool:
		if schema["type"] != "boolean" {
			return fmt.Sprintf("%s is a boolean, not %v", at, schema["type"])
		}
	case float64:
		if schema["type"] != "number" && (schema["type"] != "integer" || x != math.Trunc(x)) {
			return fmt.Sprintf("%s is %v, not %v", at, x, schema["type"])
		}
	default:
		return at + " is null"
	}
	return ""
}

func (v validator) object(at string, value, schema map[string]any) string {
	properties, isStruct := schema["properties"].(map[string]any)
	others, _ := schema["additionalProperties"].(map[string]any)
	for name, one := range value {
		of, known := properties[name].(map[string]any)
		switch {
		case known:
		case isStruct:
			return at + "." + name + " is not in the document"
		case others == nil:
			continue
		default:
			of = others
		}
		if wrong := v.check(at+"."+name, one, of); wrong != "" {
			return wrong
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, there := value[name.(string)]; !there {
			return at + "." + name.(string) + " is missing"
		}
	}
	return ""
}

// TestDocumentIsWhole finds a schema for every name that is referred to, and no other.
func TestDocumentIsWhole(t *testing.T) {
	w := newWorld(t)
	text := w.ask("GET", "/v1/openapi.json", "").Body.String()
	var doc struct {
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	for name, schema := range doc.Components.Schemas {
		if _, ok := schema.(map[string]any)["required"].([]any); !ok {
			t.Errorf("schema %s: got no list of required members, want one if it is empty", name)
		}
		if !strings.Contains(text, `"#/components/schemas/`+name+`"`) {
			t.Errorf("got the schema %s, which nothing refers to", name)
		}
	}
	for _, name := range []string{"DrillReport", "DrillReportList", "DrillSpec", "EvacuatePlan", "TargetHealthList", "ErrorBody"} {
		if _, ok := doc.Components.Schemas[name]; !ok {
			t.Errorf("got no schema %s, want one", name)
		}
	}
	if strings.Count(text, "admin.") > 0 {
		t.Error("got names of Go packages in the document")
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	var seen []string
	for after := ""; ; {
		var got List[struct {
			Name string `json:"name"`
		}]
		rec := w.ask("GET", "/v1/faults?limit=5&after="+after, "")
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != 200 || len(got.Data) > 5 {
			t.Fatalf("got status %d and %s, want a page of 5", rec.Code, rec.Body)
		}
		for _, f := range got.Data {
			seen = append(seen, f.Name)
		}
		if after = got.Next; after == "" {
			break
		}
	}
	if len(seen) < 10 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != len(seen) {
		t.Errorf("got %v over all pages, want each once", seen)
	}
}

// TestUsagePages goes on behind a row whose name is empty.
func TestUsagePages(t *testing.T) {
	w := newWorld(t)
	var seen []string
	for after := ""; ; {
		var got List[UsageRow]
		rec := w.ask("GET", "/v1/usage?by=team&limit=1&after="+url.QueryEscape(after), "")
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != 200 || len(got.Data) != 1 {
			t.Fatalf("got status %d and %s, want a page of 1", rec.Code, rec.Body)
		}
		seen = append(seen, got.Data[0].By["team"])
		if after = got.Next; after == "" {
			break
		}
	}
	if want := []string{"", "team", "z"}; !slices.Equal(seen, want) {
		t.Errorf("got teams %q over all pages, want %q", seen, want)
	}
}
