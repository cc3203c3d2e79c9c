package gateway

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// Object is something that a provider keeps: a file, a batch, a stored answer, a conversation. What one provider has
// made, no other knows.
type Object struct {
	ID       string
	Provider string // by its name in the config
	// Credential tells apart the provider's keys: the one with which it was made; empty if that is not known.
	Credential string
	// Caller is the id of the key whose holder made it; empty if nobody's key was needed, or it was made elsewhere.
	Caller string
	// IsAnswer says that it is a model's answer, of which there are many more than of all else.
	IsAnswer bool
	// Uncounted says that it was made here, and that what it used has not been counted: an
	// answer in the background, or a batch, tells that only when it is looked up.
	Uncounted bool
	At        time.Time // when it was noted
}

// Objects remembers whose objects are. It may be used concurrently.
type Objects interface {
	// Find returns what is known of objects, by their ids.
	Find(ctx context.Context, ids ...string) (map[string]Object, error)
	// Note remembers objects, in the place of what was known of them. It does not wait.
	Note(objects ...Object)
	// Count reports whether what an object used is yet to be counted; it is not asked twice.
	Count(ctx context.Context, id string) bool
}

var _ Objects = (*ObjectTable)(nil)

// maxObjects bounds how many objects are remembered, of answers and of all else; the oldest are forgotten first.
const maxObjects = 1 << 16

// ObjectTable remembers objects for as long as the program runs. The zero value is empty.
type ObjectTable struct {
	mu sync.Mutex
	of map[string]Object
	// The ids, the oldest first: answers would else push out everything that is rarer.
	answers, others []string
}

// Find never fails.
func (t *ObjectTable) Find(_ context.Context, ids ...string) (map[string]Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := make(map[string]Object, len(ids))
	for _, id := range ids {
		if o, ok := t.of[id]; ok {
			found[id] = o
		}
	}
	return found, nil
}

// Note remembers objects.
func (t *ObjectTable) Note(objects ...Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = make(map[string]Object)
	}
	for _, o := range objects {
		if was, known := t.of[o.ID]; known {
			o.IsAnswer = was.IsAnswer // it stays in its line
			t.of[o.ID] = o
			continue
		}
		line := &t.others
		if o.IsAnswer {
			line = &t.answers
		}
		if len(*line) == maxObjects {
			delete(t.of, (*line)[0])
			*line = (*line)[1:]
		}
		*line = append(*line, o.ID)
		t.of[o.ID] = o
	}
}

// Count marks an object as counted.
func (t *ObjectTable) Count(_ context.Context, id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.of[id]
	if !ok || !o.Uncounted {
		return false
	}
	o.Uncounted = false
	t.of[id] = o
	return true
}

// All lists what is remembered, the oldest first.
func (t *ObjectTable) All() []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Object, 0, len(t.of))
	for _, id := range slices.Concat(t.others, t.answers) {
		all = append(all, t.of[id])
	}
	slices.SortStableFunc(all, func(a, b Object) int { return a.At.Compare(b.At) })
	return all
}

// Len is how many are remembered.
func (t *ObjectTable) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.of)
}

// maxObjectID bounds an id: no vendor's comes near it.
const maxObjectID = 256

// objectOf is what is known of an object that an attempt has made, or shown.
func (c *call) objectOf(a *attempt, id string) Object {
	return Object{ID: id, Provider: a.target.Provider.ID, At: c.g.opts.Now()}
}

// mine marks an object as made in this call.
func (c *call) mine(a *attempt, o Object) Object {
	o.Caller, o.Credential, o.Uncounted = c.caller.Key, a.target.Provider.Key.Fingerprint(), true
	return o
}

// keeps notes that an attempt's answer is kept by its provider.
func (c *call) keeps(a *attempt, id string) {
	if id == "" || len(id) > maxObjectID || id == a.object.ID {
		return
	}
	a.object = c.mine(a, c.objectOf(a, id))
	a.object.IsAnswer = true
	c.g.objects.Note(a.object)
}

// counted notes that what an attempt's answer used was counted here and now: not again when somebody looks it up.
func (c *call) counted(a *attempt) {
	if a.object.ID != "" && a.usage.Known {
		a.object.Uncounted = false
		c.g.objects.Note(a.object)
	}
}

// ownersOf leaves of the targets those of the providers that keep the objects, where that
// is known, asked with the key that made them. To other callers than the one who made them, there are none.
func (c *call) ownersOf(targets []route.Target, ids ...string) ([]route.Target, *llm.Error) {
	if len(ids) == 0 || len(ids) == 1 && ids[0] == "" {
		return targets, nil
	}
	known, err := c.find(ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		o, ok := known[id]
		if !ok {
			continue
		}
		if c.isHidden(o) {
			return nil, &llm.Error{
				Code: llm.CodePathNotFound, Origin: llm.OriginClient,
				Message: "What the request is about does not exist, or was made with another key.",
			}
		}
		targets = slices.DeleteFunc(slices.Clone(targets), func(t route.Target) bool { return t.Provider.ID != o.Provider })
		if len(targets) == 0 {
			return nil, &llm.Error{
				Code: llm.CodeModelGone, Origin: llm.OriginGateway,
				Message: "The provider that keeps what the request is about is not configured any more, or not for this model.",
			}
		}
		// The provider's key may have been replaced by another of the same account since.
		isMade := func(t route.Target) bool { return t.Provider.Key.Fingerprint() == o.Credential }
		pin(targets, o.Credential)
		if slices.ContainsFunc(targets, isMade) {
			targets = slices.DeleteFunc(targets, func(t route.Target) bool { return !isMade(t) })
		}
	}
	return targets, nil
}

// pin asks targets with the key of a fingerprint, where their provider has several and it among them.
func pin(targets []route.Target, fingerprint string) {
	for i := range targets {
		for _, p := range targets[i].Provider.Keys {
			if p.Key.Fingerprint() == fingerprint {
				targets[i].Provider, targets[i].Pinned = p, true
			}
		}
	}
}

// isHidden reports whether an object is another caller's.
func (c *call) isHidden(o Object) bool { return o.Caller != "" && o.Caller != c.caller.Key }

func (c *call) find(ids []string) (map[string]Object, *llm.Error) {
	known, err := c.g.objects.Find(&c.ctx, ids...)
	if err != nil {
		return nil, &llm.Error{
			Code: llm.CodeUnavailable, Origin: llm.OriginGateway,
			Message: "The gateway cannot find out now which provider keeps what the request is about.", Err: err,
		}
	}
	return known, nil
}

// learn takes from an answer what is counted in it, and whose the objects in it are. Of a list it returns the answer
// without what is another caller's.
func (c *call) learn(a *attempt, answer jsontext.Value) (jsontext.Value, *llm.Error) {
	if !c.operation.Keeps() {
		c.countIn(a, answer)
		return answer, nil
	}
	listed := []jsontext.Value{answer}
	list := answer.Get("data")
	if list.Kind() == jsontext.Array {
		_ = list.Array(func(_ int, v jsontext.Value) error { listed = append(listed, v); return nil })
	}
	var ids []string
	for _, v := range listed {
		ids = append(ids, objectIDs(v)...)
	}
	madeHere := c.r.Method == http.MethodPost && c.path.object == ""
	known, err := c.find(ids)
	if err != nil {
		if c.caller.Key != "" && len(listed) > 1 {
			return nil, err
		}
		c.g.opts.Log.Warn("nobody knows whose the objects are", "call", c.id, "error", err.Error())
		known = map[string]Object{}
	}
	canNote := err == nil // otherwise it could take the place of more
	var news []Object
	hidden := map[string]bool{} // the ids of what is another's in a list
	for i, v := range listed {
		var batch Object // whose files are its maker's
		for j, id := range objectIDs(v) {
			o, ok := known[id]
			switch {
			case ok && j == 0:
				batch = o
				hidden[id] = i > 0 && c.isHidden(o)
			case !ok && (canNote || madeHere):
				o = c.objectOf(a, id)
				o.Caller, o.Credential = batch.Caller, batch.Credential
				if madeHere && j == 0 {
					o = c.mine(a, o)
					batch = o
				}
				known[id] = o
				news = append(news, o)
			}
		}
	}
	if len(news) > 0 {
		c.g.objects.Note(news...)
	}
	c.countIn(a, answer)
	var first, last jsontext.Value // of what is shown
	shown, changed, editErr := jsontext.EditElements(list, func(v jsontext.Value) ([]byte, error) {
		id, err := v.Get("id").Text()
		if err == nil && hidden[id] {
			return nil, nil
		}
		if last = v.Get("id"); first == nil {
			first = last
		}
		return v, nil
	})
	if editErr == nil && changed {
		answer, editErr = withoutHidden(answer, shown, first, last)
	}
	if editErr != nil {
		return nil, asError(editErr, llm.CodeInternal)
	}
	return answer, nil
}

// withoutHidden is a page of a list with what is shown of it, whose first and last are what clients page by.
func withoutHidden(page, shown, first, last jsontext.Value) (_ jsontext.Value, err error) {
	for _, m := range []struct {
		name string
		to   jsontext.Value
	}{{"data", shown}, {"first_id", first}, {"last_id", last}} {
		if page.Get(m.name).IsNull() {
			continue
		}
		if m.to == nil {
			m.to = jsontext.Value("null")
		}
		if page, err = jsontext.Set(page, m.name, m.to); err != nil {
			return nil, err //nolint:wrapcheck // the caller makes an error of it
		}
	}
	return page, nil
}

// maxHiddenPages bounds how many pages of a list are looked through of which the caller is shown nothing.
const maxHiddenPages = 100

// learnPage is learn for an answer that may be a page of a list. Clients page by what they are shown, so one of which they are
// shown nothing, and after which more follows, is no page: it is the next.
func (c *call) learnPage(a *attempt, answer jsontext.Value, w *watchdog) (jsontext.Value, *llm.Error) {
	for range maxHiddenPages {
		shown, err := c.learn(a, answer)
		if err != nil {
			return nil, err
		}
		cursor, id := c.nextPage(answer, shown)
		if id == "" {
			return shown, nil
		}
		if answer, err = c.fetchPage(a, w, cursor, id); err != nil {
			return nil, err
		}
	}
	return nil, llm.Invalid("limit", "The first %d pages of the list hold nothing that was made with this key. Ask for larger ones.", maxHiddenPages)
}

// nextPage is what asks for the page that follows one of which nothing is shown: a parameter and its value, which is empty if
// there is no need.
func (c *call) nextPage(page, shown jsontext.Value) (cursor, id string) {
	if string(page.Get("has_more")) != "true" || idAt(shown, false) != "" {
		return "", ""
	}
	if back := c.dialect.PageBack; back != "" && c.r.URL.Query().Has(back) {
		return back, idAt(page, true)
	}
	return c.dialect.PageOn, idAt(page, false)
}

// idAt is the id of the first or the last element of a list; empty if there is none.
func idAt(page jsontext.Value, first bool) (id string) {
	_ = page.Get("data").Array(func(_ int, v jsontext.Value) error {
		if id == "" || !first {
			id, _ = v.Get("id").Text()
		}
		return nil
	})
	return id
}

// fetchPage asks for another page within an attempt.
func (c *call) fetchPage(a *attempt, w *watchdog, cursor, id string) (jsontext.Value, *llm.Error) {
	r := c.upstream(a)
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, asError(err, llm.CodeInternal)
	}
	query := u.Query()
	query.Set(cursor, id)
	u.RawQuery = query.Encode()
	r.URL = u.String()
	resp, err := c.g.opts.Sender.Send(&a.life, r)
	if err != nil {
		return nil, c.sendError(a, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a.status = resp.Status
	if err := c.checkStatus(a, resp); err != nil {
		return nil, err
	}
	body, readErr := c.readAnswer(resp, w)
	if readErr != nil {
		return nil, readErr
	}
	page, err := jsontext.ParseLenient(body)
	if err != nil {
		return nil, notJSON(err)
	}
	return page, nil
}

// objectIDs are the ids of an object in an answer and, behind it, of the files that a batch has made.
func objectIDs(v jsontext.Value) []string {
	var ids []string
	for _, name := range [...]string{"id", "output_file_id", "error_file_id"} {
		if id, err := v.Get(name).Text(); err == nil && id != "" && len(id) <= maxObjectID {
			ids = append(ids, id)
		}
	}
	return ids
}

// objects are the ids of what a provider keeps that the request is about.
func (c *call) objects() []string {
	var ids []string
	if c.path.object != "" {
		ids = append(ids, c.path.object)
	}
	if !c.operation.Keeps() {
		return ids
	}
	for _, name := range []string{"input_file_id", "file_id"} {
		if id, err := jsontext.Value(c.body).Get(name).Text(); err == nil && id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// filesIn are the files that a request to a model names: the APIs that have them have one word for it, and no escape hides it.
// What a text says of the kind has its quotes escaped, mostly by a backslash; if not, no harm is done.
func filesIn(body []byte) []string {
	if bytes.Contains(body, []byte(`\u00`)) && asciiEscape.Match(body) { // the expression alone takes longer to say no
		body = []byte(unescaped(body))
	}
	if !bytes.Contains(body, []byte(`_id"`)) { // which is looked for faster than what begins with a quote
		return nil
	}
	var ids []string
	for key := []byte(`"file_id"`); ; {
		_, rest, found := bytes.Cut(body, key)
		if !found {
			return ids
		}
		body = rest
		rest, isKey := bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(":"))
		if !isKey {
			continue
		}
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if end := bytes.IndexByte(rest[min(1, len(rest)):], '"'); end > 0 && end <= maxObjectID && rest[0] == '"' {
			ids = append(ids, string(rest[1:1+end])) // ids have no other escapes
		}
	}
}

// ownedTargets leaves of a model's targets those that know what the request builds on.
func (c *call) ownedTargets(targets []route.Target) ([]route.Target, *llm.Error) {
	var ids []string
	if c.operation == dialect.Generate {
		ids = filesIn(c.body)
	}
	if c.peeked.Object != "" {
		ids = append(ids, c.peeked.Object)
	}
	return c.ownersOf(targets, ids...)
}
