package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strconv"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/llm"
)

// Audit is the log of who changed what.
type Audit interface {
	AddChange(ctx context.Context, c *access.Change) error
	// Changes lists changes, the latest first: those before a Seq, or all if that is 0.
	Changes(ctx context.Context, before int64, limit int) ([]access.Change, error)
}

func auditEndpoints() []endpoint {
	return []endpoint{paged(read("/v1/audit", "Who changed what by this API, and who tried: the latest first.", (*api).listChanges))}
}

func (a *api) listChanges(r *request) (List[access.Change], error) {
	q := r.URL.Query()
	limit, err := pageSize(q)
	if err != nil {
		return List[access.Change]{}, err
	}
	before := int64(0)
	if after := q.Get("after"); after != "" {
		if before, err = strconv.ParseInt(after, 10, 64); err != nil || before < 1 {
			return List[access.Change]{}, llm.Invalid("after", "The parameter after must be the next of a page before this one.")
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), changeTime)
	defer cancel()
	found, err := a.opts.Audit.Changes(ctx, before, limit+1)
	if err != nil {
		return List[access.Change]{}, &llm.Error{Code: llm.CodeUnavailable, Origin: llm.OriginGateway, Message: "The audit log cannot be read now.", Err: err}
	}
	list := List[access.Change]{Data: found[:min(limit, len(found))]}
	if list.Data == nil {
		list.Data = []access.Change{}
	}
	if len(found) > limit {
		list.Next = strconv.FormatInt(found[limit-1].Seq, 10)
	}
	return list, nil
}

// How long the store is waited for: to make a change of its rows or list those there were, and to write one down before
// it begins and when it is over.
const (
	changeTime = 5 * time.Second
	beginTime  = time.Second
	auditTime  = 5 * time.Second
)

// What becomes of a change, if it is not refused.
const (
	outcomeBegun = "begun"
	outcomeDone  = "done"
)

// keyLike is what keys look like, ours and most vendors'. None belongs into a request, but rows of the audit log stay.
var keyLike = regexp.MustCompile(`\b(?:us|sk)-[A-Za-z0-9_-]{16,}`)

// told is a part of a request as it is written down.
func told(text string) string { return clip(keyLike.ReplaceAllString(text, "[redacted]")) }

// changeOf is the line that tells of a change. The body is part of it, since it says what the change was.
func (a *api) changeOf(r *request, e endpoint) *access.Change {
	c := &access.Change{
		At: a.opts.Now().UTC(), By: r.by.name, From: r.RemoteAddr, Method: e.method, Path: told(r.URL.Path), Query: told(r.URL.RawQuery), Outcome: outcomeDone,
	}
	var said bytes.Buffer
	if json.Compact(&said, r.body) == nil {
		c.Body = told(said.String())
	}
	return c
}

// begin writes down a change before it is made. It is made all the same if the store is out: a provider must be
// evacuated when everything burns.
func (a *api) begin(r *request, c *access.Change) {
	begun := *c
	begun.Outcome = outcomeBegun
	a.add(r, &begun, beginTime)
}

// audit writes down what became of a change, if the store has not written it down with the change itself.
func (a *api) audit(r *request, c *access.Change, err error) {
	if err != nil {
		c.Outcome = string(asError(err).Code)
	}
	a.opts.Log.LogAttrs(r.Context(), slog.LevelInfo, "admin change", slog.String("by", c.By), slog.String("from", c.From),
		slog.String("method", c.Method), slog.String("path", c.Path), slog.String("query", c.Query),
		slog.String("body", c.Body), slog.String("outcome", c.Outcome))
	if !c.IsKept() || err != nil {
		a.add(r, c, auditTime)
	}
}

func (a *api) add(r *request, c *access.Change, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), within)
	defer cancel()
	if err := a.opts.Audit.AddChange(ctx, c); err != nil {
		a.opts.Log.Error("a change is not in the audit log", "path", c.Path, "error", err.Error())
	}
}
