package forms

import (
	"fmt"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// TestNamesAreOneToOne: legal names stay, others become legal, and no two the same.
func TestNamesAreOneToOne(t *testing.T) {
	long := strings.Repeat("a", 70)
	all := []string{"get", "ge t", "ge_t", "ge.t", long + "1", long + "2", "ge t", "get"}
	names, err := OpenAINames(all, 64)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, name := range all {
		sent := names.Sent(name)
		if was, ok := seen[sent]; ok && was != name || !IsOpenAIName(sent, 64) || IsOpenAIName(name, 64) && sent != name {
			t.Errorf("%q: got %q, want a legal name of its own", name, sent)
		}
		seen[sent] = name
		if back, ok := names.Client()[sent]; ok != (sent != name) || ok && back != name {
			t.Errorf("%q: got %q back of %q, want it", name, back, sent)
		}
	}
	if names, err := OpenAINames([]string{"get"}, 64); err != nil || names.Changed() || names.Client() != nil {
		t.Errorf("legal names: got changed %v (%v), want none", names.Client(), err)
	}
	if _, err := OpenAINames([]string{"get", ""}, 64); err == nil {
		t.Error("no name: got no error, want one")
	}
}

func TestCallIDs(t *testing.T) {
	ids := CallIDs{Most: 40}
	seen := map[string]bool{}
	for i := range 100 {
		id := strings.Repeat("x", 50) + fmt.Sprint(i)
		sent := ids.Sent(id)
		if len(sent) > 40 || seen[sent] || ids.Sent(id) != sent {
			t.Errorf("%s: got %s, want an id of its own, always the same, of at most 40", id, sent)
		}
		seen[sent] = true
	}
	if got := ids.Sent("short"); got != "short" || !ids.Changed() {
		t.Errorf("got %s want short", got)
	}
}

func TestDropBlocks(t *testing.T) {
	goes := func(v jsontext.Value) bool { return string(v) == `"x"` }
	for body, want := range map[string]string{
		`{"m":[{"c":["a","x"]}, {"c":["x"]},{"c":[]},{"c":"x"}],"n":1}`: `{"m":[{"c":["a"]},{"c":[]},{"c":"x"}],"n":1}`,
		`{"m":[{"c":["a"]}]}`: `{"m":[{"c":["a"]}]}`, `{"m":"x"}`: `{"m":"x"}`, `{}`: `{}`,
	} {
		got, changed, err := DropBlocks([]byte(body), "m", "c", goes)
		if string(got) != want || changed != (body != want) || err != nil {
			t.Errorf("%s: got %s, changed %v, %v, want %s", body, got, changed, err, want)
		}
	}
}

func TestOutline(t *testing.T) {
	o := NewOutline(strings.ToLower, [][2]string{
		{"choice", "type name"},
		{"choice.name", ""},
		{"list[].call", "id"},
		{"list[].call.more[]", "x"},
		{"part[]", "type id"},
		{"part[]<a.text>", "type text in"},
		{"part[]<a.text>.in", "y"},
		{"item<call>", "type"},
		{"only[]!", "x"},
	}...)
	for body, want := range map[string]string{
		`{"choice":{"TYPE":"a","name":"b","other":1,"null":null},"anything":{"other":1}}`:                                        "choice.other",
		`{"choice":{"name":{"x":1}},"list":[{"call":{"id":1,"a":2}},{"b":3,"call":{"a":2}}]}`:                                    "choice.name.x list[].call.a",
		`{"list":{"call":{"more":{"y":1}}}}`:                                                                                     "list[].call.more[].y list[].call.more",
		`{"part":[{"type":"a.text","text":1,"id":1,"in":{"y":1,"z":1}},{"type":"other","id":1,"text":1},{"id":1,"in":{"z":1}}]}`: "part[].id part[].in.z part[].text part[].in",
		`{"item":{"type":"call","id":1}}`:                                                                                        "item.id", `{"item":{"type":"else","id":1}}`: "",
		`{"only":{"y":1}}`: "", `{"only":[{"y":1}]}`: "only[].y",
		`[{"choice":{"x":1}},{"choice":{"y":1}}]`: "choice.x choice.y",
		`{"choice":"word","list":[[{}],7]}`:       "", `[]`: "",
	} {
		if got := strings.Join(o.Unread([]byte(body)), " "); got != want {
			t.Errorf("%s: got %q want %q", body, got, want)
		}
	}
	many := `{"choice":{"x0":1`
	for i := range 1000 {
		many += fmt.Sprintf(`,"y%d":1`, i)
	}
	if got := o.Unread([]byte(many + "}}")); len(got) != maxUnread {
		t.Errorf("got %d paths want no more than %d", len(got), maxUnread)
	}
}

func TestDescribed(t *testing.T) {
	for _, c := range []struct{ schema, description, want, loss string }{
		{`{"type":"object"}`, "", `{"type":"object"}`, ""},
		{`{"type":"object"}`, `a "b"`, `{"type":"object","description":"a \"b\""}`, "json_schema=repaired(harmless)"},
		{`{"description":"a"}`, "a", `{"description":"a"}`, ""},
		{`{"description":"b"}`, "a", `{"description":"b"}`, "json_schema=approximated(tuning)"},
	} {
		var lost []llm.Loss
		got := Described(&llm.Format{Schema: []byte(c.schema), Description: c.description}, func(f llm.Feature, a llm.Action, s llm.Severity, _ string) {
			lost = append(lost, llm.Loss{Feature: f, Action: a, Severity: s})
		})
		if loss := llm.FormatLosses(lost, 200); string(got) != c.want || loss != c.loss {
			t.Errorf("%s described as %q: got %s and %q want %s and %q", c.schema, c.description, got, loss, c.want, c.loss)
		}
	}
}

// TestRedact: whoever's credential a message repeats, and whatever dialect says it, it is not shown; names and ids are.
func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"key sk-ant-api03-abcdefghijkl, please":                 "key [redacted], please",
		"Incorrect API key provided: sk-proj-****abcd.":         "Incorrect API key provided: [redacted]",
		"key AIzaSyA1234567890abcdefghijklmnop, please":         "key [redacted], please",
		"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x":                     "Bearer [redacted]",
		"Bearer ya29.a0AfH6SMBx":                                "Bearer [redacted]",
		"AKIAIOSFODNN7EXAMPLE and ABSKabcdefgh":                 "[redacted] and [redacted]",
		"hf_abcdefgh gsk_abcdefgh nvapi-abcdefgh":               "[redacted] [redacted] [redacted]",
		"aZ9" + strings.Repeat("q", 60):                         "[redacted]",
		"token 0123456789abcdef0123456789abcdef":                "token [redacted]",
		"secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY, gone": "secret [redacted], gone",
		"secret je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY":       "secret [redacted]",
		"at https://host/sk-abcdefghijkl/x":                     "at https://host/[redacted]/x",
		"/usr/local/lib/Python3/site/pkgs/Module1/a":            "/usr/local/lib/Python3/site/pkgs/Module1/a",
		"(AbCdEfGhIjKlMnOpQrStUvWxYz0123456789ABCD)":            "([redacted])",
		"The model `gpt-4o-audio-preview-2024-12-17` is gone":   "The model `gpt-4o-audio-preview-2024-12-17` is gone",
		"claude-sonnet-4-5-20250929 toolu_01DYJo37oETVsCdLTTc":  "claude-sonnet-4-5-20250929 toolu_01DYJo37oETVsCdLTTc",
		"models/gemini-2.5-flash-preview-09-2025 is not found":  "models/gemini-2.5-flash-preview-09-2025 is not found",
		"meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8":     "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
		"anthropic.claude-sonnet-4-20250514-v1:0":               "anthropic.claude-sonnet-4-20250514-v1:0",
		"request 550e8400-e29b-41d4-a716-446655440000":          "request 550e8400-e29b-41d4-a716-446655440000",
		"a key-value pair at 'contents[0].parts[0]' (oneof), é": "a key-value pair at 'contents[0].parts[0]' (oneof), é",
		"https://docs.example/en/docs/Overview2#limits-of-2025": "https://docs.example/en/docs/Overview2#limits-of-2025",
	} {
		if got := Redact(in); got != want {
			t.Errorf("%s: got %s want %s", in, got, want)
		}
	}
	isAccount := func(word string) bool { return word == "123456789012" }
	if got := Redact("arn:aws:bedrock:us-east-1:123456789012:x", isAccount); got != "arn:aws:bedrock:us-east-1:[redacted]:x" {
		t.Errorf("got %s want the account hidden", got)
	}
}

// TestOnce leaves each name once, and tells what was said twice from what was said differently.
func TestOnce(t *testing.T) {
	member := func(key, raw string) llm.Member { return llm.Member{Key: key, Raw: []byte(raw)} }
	for _, tc := range []struct {
		list   []llm.Member
		want   string
		differ bool
	}{
		{nil, "[]", false},
		{[]llm.Member{member("a", "1")}, "[{a 1}]", false},
		{[]llm.Member{member("a", "1"), member("b", "2"), member("a", "1")}, "[{a 1} {b 2}]", false},
		{[]llm.Member{member("a", "1"), member("A", "2"), member("b", "2")}, "[{a 1} {b 2}]", true},
		{[]llm.Member{member("k", "1"), member("\u212a", "2")}, "[{k 1}]", true}, // the sign of kelvins
	} {
		differ := false
		once := Once(tc.list, func(f llm.Feature, _ llm.Action, _ llm.Severity, _ string) { differ = f == "message_members" })
		var got []string
		for _, m := range once {
			got = append(got, fmt.Sprintf("{%s %s}", m.Key, m.Raw))
		}
		if shown := fmt.Sprint(got); shown != tc.want || differ != tc.differ {
			t.Errorf("got %s, %v want %s, %v", shown, differ, tc.want, tc.differ)
		}
	}
}
