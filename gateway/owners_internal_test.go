package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// asked is a call of the holder of a key about what providers keep.
func asked(objects Objects, key, method string) *call {
	g := &Gateway{objects: objects, opts: Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	return &call{g: g, r: httptest.NewRequest(method, "/v1/files", nil), operation: dialect.Files, caller: access.Caller{Key: key}}
}

func keptAt(id, key string) route.Target {
	return route.Target{Provider: &provider.Provider{ID: id, Key: provider.NewSecret(key)}}
}

// TestObjectsAreTheirMakers: what was made with one key is there for its holder alone, and asked of the provider and with
// the provider's key that made it.
func TestObjectsAreTheirMakers(t *testing.T) {
	t.Parallel()
	objects := &ObjectTable{}
	b2 := keptAt("b", "second")
	maker := asked(objects, "key_1", "POST")
	made := jsontext.Value(`{"id":"batch_1","output_file_id":"file-2"}`)
	if _, err := maker.learn(&attempt{target: b2}, made); err != nil {
		t.Fatal(err)
	}
	asked(objects, "", "POST").keeps(&attempt{target: b2}, "resp_1") // nobody's key was needed
	targets := []route.Target{keptAt("a", "first"), keptAt("b", "first"), b2}
	for _, tc := range []struct {
		key, id string
		code    llm.Code
		want    int
	}{
		{"key_1", "batch_1", "", 1},
		{"key_1", "file-2", "", 1},
		{"key_2", "batch_1", llm.CodePathNotFound, 0},
		{"key_2", "file-2", llm.CodePathNotFound, 0},
		{"", "batch_1", llm.CodePathNotFound, 0},
		{"key_2", "resp_1", "", 1},
		{"key_2", "unknown", "", 3},
	} {
		got, err := asked(objects, tc.key, "GET").ownersOf(targets, tc.id)
		var code llm.Code
		if err != nil {
			code = err.Code
		}
		if code != tc.code || len(got) != tc.want || tc.want == 1 && got[0].Provider != b2.Provider {
			t.Errorf("%s of %q: got %d targets and code %q, want %d and %q", tc.id, tc.key, len(got), code, tc.want, tc.code)
		}
	}
	replaced := []route.Target{keptAt("a", "first"), keptAt("b", "third")}
	if got, err := maker.ownersOf(replaced, "batch_1"); err != nil || len(got) != 1 {
		t.Errorf("with a new key of the provider's: got %d targets and %v, want that provider", len(got), err)
	}
}

// TestListsHideWhatIsOthers: a list is the vendor's to the byte, less what another key has made.
func TestListsHideWhatIsOthers(t *testing.T) {
	t.Parallel()
	objects := &ObjectTable{}
	objects.Note(Object{ID: "file-1", Provider: "a", Caller: "key_1"}, Object{ID: "file-2", Provider: "a", Caller: "key_2"}, Object{ID: "file-3", Provider: "a"})
	const list = `{"object":"list", "data":[{"id":"file-1"}, {"id":"file-2"}, {"id":"file-3"}, {"id":"file-4"}], "has_more":false}`
	for key, want := range map[string]string{
		"key_1": `{"object":"list", "data":[{"id":"file-1"}, {"id":"file-3"}, {"id":"file-4"}], "has_more":false}`,
		"":      `{"object":"list", "data":[{"id":"file-3"}, {"id":"file-4"}], "has_more":false}`,
	} {
		got, err := asked(objects, key, "GET").learn(&attempt{target: keptAt("a", "k"), lifetime: &lifetime{}}, jsontext.Value(list))
		if err != nil || string(got) != want {
			t.Errorf("key %q: got %s %v, want %s", key, got, err, want)
		}
	}
	objects.Note(Object{ID: "file-2", Provider: "a"})
	if got, _ := asked(objects, "key_1", "GET").learn(&attempt{target: keptAt("a", "k"), lifetime: &lifetime{}}, jsontext.Value(list)); string(got) != list {
		t.Errorf("with nothing to hide: got %s, want %s", got, list)
	}
}

// unreachable is a memory that cannot be asked.
type unreachable struct{ Objects }

func (unreachable) Find(context.Context, ...string) (map[string]Object, error) {
	return nil, errors.New("gone")
}

func TestObjectsThatCannotBeFound(t *testing.T) {
	t.Parallel()
	c := asked(unreachable{&ObjectTable{}}, "key_1", "GET")
	if _, err := c.ownersOf([]route.Target{keptAt("a", "k")}, "file-1"); err == nil || err.Code != llm.CodeUnavailable {
		t.Errorf("an object: got %v, want %s", err, llm.CodeUnavailable)
	}
	if _, err := c.learn(&attempt{target: keptAt("a", "k"), lifetime: &lifetime{}}, jsontext.Value(`{"data":[{"id":"file-1"}]}`)); err == nil || err.Code != llm.CodeUnavailable {
		t.Errorf("a list: got %v, want %s: it may hold what is another's", err, llm.CodeUnavailable)
	}
	c.r.Method = "POST"
	if _, err := c.learn(&attempt{target: keptAt("a", "k"), lifetime: &lifetime{}}, jsontext.Value(`{"id":"file-1"}`)); err != nil {
		t.Errorf("one just made: got %v, want it told", err)
	}
}

// TestObjectTable: answers, of which there are many, push out answers alone; what is counted is counted once.
func TestObjectTable(t *testing.T) {
	t.Parallel()
	table := &ObjectTable{}
	table.Note(Object{ID: "file", Provider: "a", Uncounted: true})
	for i := range maxObjects + 10 {
		table.Note(Object{ID: strconv.Itoa(i), Provider: "a", IsAnswer: true})
	}
	found, _ := table.Find(t.Context(), "file", "9", "10")
	if _, ok := found["file"]; !ok || len(found) != 2 || len(table.All()) != maxObjects+1 {
		t.Errorf("got %v of %d, want the file and the answer 10 of %d", found, len(table.All()), maxObjects+1)
	}
	got := []bool{table.Count(t.Context(), "file"), table.Count(t.Context(), "file"), table.Count(t.Context(), "10"), table.Count(t.Context(), "none")}
	if want := []bool{true, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("got counts %v, want %v", got, want)
	}
}

func TestFilesInRequests(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"input":[{"type":"input_file","file_id":"file-1"},{"file_id" : "file-2"}]}`: {"file-1", "file-2"},
		`{"text":"say \"file_id\": \"file-3\""}`:                                      nil,
		`{"required":["file_id"],"properties":{"file_id":{"type":"string"}}}`:         nil,
		`{"file\u005fid":"file-4"}, {"\u0066ile_id":"file\u002D5"}`:                   {"file-4", "file-5"},
		`{"file_id":""}`: nil, `{"file_id":"`: nil, `{"file_id":`: nil, ``: nil,
	} {
		if got := filesIn([]byte(body)); !slices.Equal(got, want) {
			t.Errorf("filesIn(%s): got %v, want %v", body, got, want)
		}
	}
}

// TestPin asks for an object with the key that made it, where a provider has several.
func TestPin(t *testing.T) {
	keys := make([]*provider.Provider, 2)
	for i, key := range []string{"one", "two"} {
		keys[i] = &provider.Provider{ID: "acme", Key: provider.NewSecret(key), Keys: keys, Slot: i}
	}
	other := &provider.Provider{ID: "other", Key: provider.NewSecret("one")}
	targets := []route.Target{{Provider: keys[0]}, {Provider: other}}
	pin(targets, provider.NewSecret("two").Fingerprint())
	if targets[0].Provider != keys[1] || !targets[0].Pinned || targets[1].Provider != other || targets[1].Pinned {
		t.Errorf("got %+v, want the first pinned to the second key, and no other", targets)
	}
	targets[0] = route.Target{Provider: keys[0]}
	pin(targets, "")
	if targets[0].Provider != keys[0] || targets[0].Pinned {
		t.Errorf("made with a key that is not known: got %+v, want any key", targets[0])
	}
}

// lister is a vendor's list of files, in pages.
type lister struct {
	ids      []string
	on, back string // the parameters
	size     int
}

func (l *lister) Send(_ context.Context, r transport.Request) (*transport.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, err
	}
	return &transport.Response{Status: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(l.page(u.Query()))))}, nil
}

func (l *lister) page(query url.Values) jsontext.Value {
	from, to, hasMore := 0, min(l.size, len(l.ids)), l.size < len(l.ids)
	if id := query.Get(l.on); id != "" {
		from = slices.Index(l.ids, id) + 1
		to, hasMore = min(from+l.size, len(l.ids)), from+l.size < len(l.ids)
	} else if id := query.Get(l.back); id != "" {
		to = slices.Index(l.ids, id)
		from, hasMore = max(to-l.size, 0), to-l.size > 0
	}
	var data []string
	for _, id := range l.ids[from:to] {
		data = append(data, fmt.Sprintf(`{"id":%q}`, id))
	}
	first, last := "null", "null"
	if from < to {
		first, last = strconv.Quote(l.ids[from]), strconv.Quote(l.ids[to-1])
	}
	return jsontext.Value(fmt.Sprintf(`{"data":[%s],"first_id":%s,"last_id":%s,"has_more":%v}`, strings.Join(data, ","), first, last, hasMore))
}

// TestListsOfOthersArePagedThrough: whoever pages through a list, by what it calls its first and last or by what is in it, comes
// to all that is theirs, once, also where whole pages are another's; of what is another's they are told no id.
func TestListsOfOthersArePagedThrough(t *testing.T) {
	t.Parallel()
	objects := &ObjectTable{}
	var ids, mine []string
	for i, who := range strings.Split("ooommoommmooooooooomoooooo", "") {
		id := fmt.Sprintf("file-%s%d", who, i)
		if ids = append(ids, id); who == "m" {
			mine = append(mine, id)
			objects.Note(Object{ID: id, Provider: "a", Caller: "key_1"})
		} else {
			objects.Note(Object{ID: id, Provider: "a", Caller: "key_2"})
		}
	}
	for _, d := range []*dialect.Dialect{{PageOn: "after", PageBack: "before"}, {PageOn: "after_id", PageBack: "before_id"}} {
		for _, isBack := range []bool{false, true} {
			for _, size := range []int{1, 2, 3, 7, 100} {
				l := &lister{ids: ids, on: d.PageOn, back: d.PageBack, size: size}
				query := url.Values{}
				if isBack {
					query.Set(d.PageBack, ids[len(ids)-1])
				}
				var got []string
				for pages, more := 0, true; more && pages < 100; pages++ {
					c := asked(objects, "key_1", "GET")
					c.dialect, c.g.opts.Sender = d, l
					c.r.URL.RawQuery = query.Encode()
					a := &attempt{target: keptAt("a", "k"), lifetime: &lifetime{}}
					a.plan = plan{dialect: d, url: "https://a.example/v1/files?" + query.Encode(), raw: true}
					w := c.watch(a, c.ctx.end)
					w.stop()
					shown, err := c.learnPage(a, l.page(query), w)
					if err != nil || strings.Contains(string(shown), "file-o") {
						t.Fatalf("%v of %d: got %s, %v want nothing of another's", query, size, shown, err)
					}
					var said struct {
						Data    []struct{ ID string }
						FirstID *string `json:"first_id"`
						LastID  *string `json:"last_id"`
						HasMore bool    `json:"has_more"`
					}
					if err := json.Unmarshal(shown, &said); err != nil {
						t.Fatal(err)
					}
					more = said.HasMore
					if len(said.Data) == 0 {
						if more || said.FirstID != nil || said.LastID != nil {
							t.Fatalf("%v of %d: got %s want the end of the list", query, size, shown)
						}
						break
					}
					if *said.FirstID != said.Data[0].ID || *said.LastID != said.Data[len(said.Data)-1].ID {
						t.Fatalf("%v of %d: got %s want its first and last named", query, size, shown)
					}
					var these []string
					for _, o := range said.Data {
						these = append(these, o.ID)
					}
					if isBack {
						got = append(these, got...)
						query.Set(d.PageBack, *said.FirstID)
					} else {
						got = append(got, these...)
						query.Set(d.PageOn, *said.LastID)
					}
				}
				if !slices.Equal(got, mine) {
					t.Errorf("%s, back: %v, pages of %d: got %q want %q", d.PageOn, isBack, size, got, mine)
				}
			}
		}
	}
}

// TestListOfOthersAlone: a list in which far too much is another's is no end of a list.
func TestListOfOthersAlone(t *testing.T) {
	t.Parallel()
	objects := &ObjectTable{}
	l := &lister{on: "after", size: 1}
	for i := range maxHiddenPages + 2 {
		id := fmt.Sprintf("file-o%d", i)
		l.ids = append(l.ids, id)
		objects.Note(Object{ID: id, Provider: "a", Caller: "key_2"})
	}
	c := asked(objects, "key_1", "GET")
	c.dialect, c.g.opts.Sender = &dialect.Dialect{PageOn: "after"}, l
	a := &attempt{target: keptAt("a", "k"), lifetime: &lifetime{}}
	a.plan = plan{dialect: c.dialect, url: "https://a.example/v1/files", raw: true}
	w := c.watch(a, c.ctx.end)
	w.stop()
	if shown, err := c.learnPage(a, l.page(url.Values{}), w); err == nil || err.Code != llm.CodeInvalidRequest || err.Param != "limit" {
		t.Errorf("got %s, %v want the client told to ask for larger pages", shown, err)
	}
}
