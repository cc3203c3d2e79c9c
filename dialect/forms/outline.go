package forms

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// Outline lists, by path, the members that a dialect reads of those objects in a request or in an answer whose other
// members it keeps nowhere. It is never changed once it is made, so it may be used concurrently.
type Outline struct {
	root  outlined
	spell func(string) string // a member's name as the outline has it; nil for as it stands
}

// outlined is a place in what is read.
type outlined struct {
	path    string
	known   []string // nil where nothing is said of the members
	members map[string]*outlined
	element *outlined
	isList  bool // an object in the list's place is no element
	// kinds are those of objects that are told apart by their member "type".
	kinds map[string]*outlined
}

// NewOutline makes an outline of rows such as {"messages[].content[].image_url", "url detail"}; the whole has the path "".
// An element may stand in the place of its list, as with some vendors, unless that is written "content[]!".
// A row such as {"output[]<message>", "id content"} is about the objects of that type alone. Names are compared as spell
// returns them, if it is not nil.
func NewOutline(spell func(string) string, rows ...[2]string) *Outline {
	o := &Outline{spell: spell}
	for _, row := range rows {
		at := &o.root
		for _, step := range steps(row[0]) {
			step, kind, isKind := strings.Cut(strings.TrimSuffix(step, ">"), "<")
			step, isList := strings.CutSuffix(step, "!")
			name := strings.TrimSuffix(step, "[]")
			at = at.member(name)
			if at.isList = at.isList || isList; name != step {
				at = at.inList()
			}
			if isKind {
				at = at.ofKind(kind)
			}
		}
		at.known = append(make([]string, 0, 4), strings.Fields(row[1])...)
	}
	return o
}

// steps are those of a path; that to the whole has none.
func steps(path string) []string {
	inKind := false
	return strings.FieldsFunc(path, func(r rune) bool {
		inKind = r == '<' || inKind && r != '>'
		return r == '.' && !inKind
	})
}

func (p *outlined) member(name string) *outlined {
	if p.members == nil {
		p.members = make(map[string]*outlined)
	}
	if p.members[name] == nil {
		p.members[name] = &outlined{path: strings.TrimPrefix(p.path+"."+name, ".")}
	}
	return p.members[name]
}

func (p *outlined) inList() *outlined {
	if p.element == nil {
		p.element = &outlined{path: p.path + "[]"}
	}
	return p.element
}

func (p *outlined) ofKind(kind string) *outlined {
	if p.kinds == nil {
		p.kinds = make(map[string]*outlined)
	}
	if p.kinds[kind] == nil {
		p.kinds[kind] = &outlined{path: p.path}
	}
	return p.kinds[kind]
}

// Unread returns the paths of the members that the outline does not list, each once. Members that are null say nothing.
func (o *Outline) Unread(body []byte) []string {
	var list []string
	tree := jsontext.Borrow()
	defer tree.Return()
	whole := jsontext.Plain(Trim(body))
	if len(body) <= maxPlaced {
		if root, err := tree.ParseLenient(body); err == nil {
			whole = root
		}
	}
	o.walk(&list, &o.root, whole)
	return list
}

// maxPlaced is the length of a body of which the places are found first: a long one has more than a tree holds.
const maxPlaced = 64 << 10

func (o *Outline) walk(list *[]string, at *outlined, n jsontext.Node) {
	switch n.Kind() {
	case jsontext.Array:
		element := at.element
		if at == &o.root {
			element = at // several frames in one
		}
		if element != nil {
			_ = n.Array(func(_ int, n jsontext.Node) error { // the JSON has been checked, and f returns no error
				o.walk(list, element, n)
				return nil
			})
		}
	case jsontext.Object:
		if at.element != nil && at.members == nil && !at.isList { // some vendors take an element for a list of one
			at = at.element
		}
		if at.kinds != nil {
			if kind := at.kinds[TextOf(n.Get("type").Value())]; kind != nil {
				at = kind
			}
		}
		_ = n.Members(func(raw []byte, n jsontext.Node) error { // likewise
			if o.spell != nil {
				raw = []byte(o.spell(string(raw)))
			}
			if inner := at.members[string(raw)]; inner != nil {
				o.walk(list, inner, n)
			}
			if at.known != nil && !n.IsNull() && !slices.Contains(at.known, string(raw)) {
				if path := strings.TrimPrefix(at.path+"."+string(raw), "."); !slices.Contains(*list, path) && len(*list) < maxUnread {
					*list = append(*list, path)
				}
			}
			return nil
		})
	default:
	}
}

// maxUnread bounds the paths of one request: they may be a client's very many own.
const maxUnread = 64
