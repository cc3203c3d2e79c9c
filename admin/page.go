package admin

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/understudy-ai/understudy/llm"
)

// List is a page of a list.
type List[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next,omitempty" doc:"What to give as after for the next page; missing on the last."`
}

// Sizes of pages.
const (
	usualPage = 50
	mostPage  = 500
)

// paged adds the parameters of a list.
func paged(e endpoint) endpoint {
	return e.with(
		query{name: "after", doc: "Go on after this: the next of the page before."},
		query{name: "limit", doc: "How many at most, 1 to 500; 50 if not given.", schema: map[string]any{"type": "integer", "minimum": 1}},
	)
}

// page cuts a page out of all; key names one, and no two alike. A cursor whose place has
// gone meanwhile is refused, since nobody knows what comes after it.
func page[T any](r *request, all []T, key func(T) string) (List[T], error) {
	q := r.URL.Query()
	limit, err := pageSize(q)
	if err != nil {
		return List[T]{}, err
	}
	if after := q.Get("after"); after != "" {
		i := slices.IndexFunc(all, func(one T) bool { return key(one) == after })
		if i < 0 {
			return List[T]{}, llm.Invalid("after", "The parameter after must be the next of a page before this one; what it names is gone. Begin anew without it.")
		}
		all = all[i+1:]
	}
	list := List[T]{Data: all[:min(limit, len(all))]}
	if list.Data == nil {
		list.Data = []T{}
	}
	if len(all) > limit {
		list.Next = key(all[limit-1])
	}
	return list, nil
}

// pageSize is how many a request wants at most.
func pageSize(q url.Values) (int, error) {
	if !q.Has("limit") {
		return usualPage, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 {
		return 0, llm.Invalid("limit", "The parameter limit must be a number from 1 to %d.", mostPage)
	}
	return min(n, mostPage), nil
}
