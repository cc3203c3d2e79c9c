package dialect

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// Field is one request field of a dialect, as a row of the loss contract.
type Field struct {
	// Path is where it stands: "logit_bias", "messages[].name"; a header's name in lower case.
	Path string
	// Feature is what it means in llm. Empty for a field that only this dialect has;
	// the following say how losing that one counts.
	Feature  llm.Feature
	Severity llm.Severity
	Absolute bool
	// Action is what becomes of it elsewhere; if empty it is dropped, or refused where
	// losing it is a contract loss.
	Action llm.Action
	// Form says that the field holds the answer to a form, such as a grammar: one that
	// breaks cannot be gone on with by another model.
	Form bool
	// Resent says that the vendor may forget what the field names at any time, and that its
	// SDKs, when they are told so, send the request again in whole.
	Resent bool
	Note   string
}

// Carriage is how a provider side carries a feature.
type Carriage struct {
	Action llm.Action
	// Severity replaces the feature's own where this target makes it matter less or
	// more.
	Severity llm.Severity
	// Note says how, and when it is otherwise: "above 1 it is clamped".
	Note string
}

// Carries maps each feature that a provider side carries in some way.
type Carries map[llm.Feature]Carriage

// Contract says what of req, which came in dialect from, the provider side of to
// does not carry as it is. It needs no encoding: the tables decide. What depends
// on values, such as a temperature above the target's range, is reported by
// ProviderSide.EncodeRequest.
func Contract(from, to *Dialect, req *llm.Request) []llm.Loss {
	var losses []llm.Loss
	for _, f := range llm.Used(req) {
		if l, lost := Verdict(from, to, f); lost {
			if f == llm.FeatureVendorTool && l.Detail == "" {
				l.Detail = vendorTools(req)
			}
			losses = append(losses, l)
		}
	}
	paths := from.extraPaths(req)
	if from.Name == to.Name {
		paths = req.Unread // it restores the others
	}
	for _, path := range paths {
		losses = append(losses, from.extraLoss(path))
	}
	return losses
}

// vendorTools names the kinds of tools in req that only its own dialect knows.
func vendorTools(req *llm.Request) string {
	var kinds []string
	for i := range req.Tools {
		if o := req.Tools[i].Opaque; o != nil && !slices.Contains(kinds, o.Type) && len(kinds) < maxRefused {
			kinds = append(kinds, clip(o.Type))
		}
	}
	return strings.Join(kinds, ", ")
}

// Verdict is the row of the contract for one feature: the loss it is on the way
// from a client of one dialect to a provider of another, if it is one.
func Verdict(from, to *Dialect, f llm.Feature) (l llm.Loss, lost bool) {
	c, carried := to.Carries[f]
	if f == llm.FeatureCommon || carried && c.Action == llm.ActionMapped {
		return llm.Loss{Feature: f, Action: llm.ActionMapped, Detail: c.Note}, false
	}
	info := f.Info()
	l = llm.Loss{Feature: f, Path: from.path(f), Severity: info.Severity, Absolute: info.Absolute}
	switch {
	case carried:
		l.Action, l.Detail = c.Action, c.Note
		if c.Severity != "" {
			l.Severity = c.Severity
		}
		if c.Action != llm.ActionDropped && c.Action != llm.ActionRefused {
			l.Absolute = false
		}
	case info.Severity == llm.Contract:
		l.Action = llm.ActionRefused
	default:
		l.Action = llm.ActionDropped
	}
	return l, true
}

// path is where the dialect's clients write the feature.
func (d *Dialect) path(f llm.Feature) string {
	for _, field := range d.Fields {
		if field.Feature == f {
			return field.Path
		}
	}
	return string(f)
}

// HeaderLosses are what a request says in headers that go to providers of its own dialect only, which have rows in
// Fields by their names in lower case.
func (d *Dialect) HeaderLosses(header http.Header) []llm.Loss {
	var losses []llm.Loss
	for _, name := range d.RelayHeaders {
		if strings.Join(header[name], "") == "" {
			continue
		}
		for _, field := range d.Fields {
			if strings.EqualFold(field.Path, name) {
				losses = append(losses, FieldLoss(field))
			}
		}
	}
	return losses
}

// Resends reports whether a client whose request was refused for a field sends it again in whole.
func (d *Dialect) Resends(path string) bool {
	return slices.ContainsFunc(d.Fields, func(f Field) bool { return f.Resent && f.Path == path })
}

// FieldLoss is the row of the contract for a field that only d has.
func FieldLoss(field Field) llm.Loss {
	l := llm.Loss{
		Feature: llm.Feature(field.Path), Path: field.Path, Action: llm.ActionDropped,
		Severity: field.Severity, Absolute: field.Absolute, Detail: field.Note,
	}
	switch {
	case field.Action != "":
		l.Action = field.Action
	case field.Severity == llm.Contract:
		l.Action = llm.ActionRefused
	}
	return l
}

// extraLoss finds the verdict for a member kept in Extra: the table's, that of a form
// of the answer for which llm has no word, or that of an unknown field.
func (d *Dialect) extraLoss(path string) llm.Loss {
	for _, field := range d.Fields {
		switch {
		case field.Path != path:
		case field.Feature == "":
			return FieldLoss(field)
		case field.Feature == llm.FeatureJSONMode, field.Feature == llm.FeatureJSONSchema: // who reads the answer relies on it
			return FieldLoss(Field{Path: path, Severity: llm.Contract, Note: "a form that no other API has"})
		}
	}
	return FieldLoss(Field{Path: path, Severity: llm.Tuning, Note: "a field this gateway does not know"})
}

// EditLoss is the loss it is that a provider's facts take away or change a field that is
// written in this dialect, if it is one. A field that the table does not have counts as
// what it is part of; what every dialect has is taken away only where the answer is the
// same without it.
func (d *Dialect) EditLoss(path string, action llm.Action) (l llm.Loss, lost bool) {
	l = llm.Loss{Feature: llm.Feature(path), Path: path, Action: action, Severity: llm.Tuning, Detail: "the provider does not take it as it is"}
	if field, known := d.fieldOf(path); known {
		l.Severity, l.Absolute = field.Severity, field.Absolute
		if field.Feature == llm.FeatureCommon {
			return l, false
		}
		if field.Feature != "" {
			info := field.Feature.Info()
			l.Feature, l.Severity, l.Absolute = field.Feature, info.Severity, info.Absolute
		}
	}
	if action == llm.ActionDropped && l.Severity == llm.Contract {
		l.Action = llm.ActionRefused
	}
	return l, true
}

// Untaken lists where a request in this dialect may ask for what a model is known to refuse.
func (d *Dialect) Untaken(facts llm.ModelFacts) []string {
	var paths []string
	for _, field := range d.Fields {
		if facts.NoStop && field.Feature == llm.FeatureStop {
			paths = append(paths, field.Path)
		}
	}
	return paths
}

// fieldOf finds the row of a path, or of the nearest path above it.
func (d *Dialect) fieldOf(path string) (Field, bool) {
	for path != "" {
		for _, field := range d.Fields {
			if field.Path == path {
				return field, true
			}
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
	return Field{}, false
}

// extraPaths lists where req holds members that only their own dialect restores, if any.
func (d *Dialect) extraPaths(req *llm.Request) []string {
	message, part := cmp.Or(d.MessagePath, "messages[]")+".", cmp.Or(d.PartPath, "messages[].content[]")+"."
	w := extraWalk{from: d, seen: map[string]bool{}}
	w.add("", req.Extra)
	for i := range req.Messages {
		m := &req.Messages[i]
		w.add(message, m.Extra)
		w.items(message, m.Parts)
		w.parts(part, m.Parts)
	}
	for i := range req.Tools {
		w.add("tools[].", req.Tools[i].Extra)
	}
	for _, path := range req.Unread {
		w.note(path)
	}
	return w.paths
}

type extraWalk struct {
	from  *Dialect
	paths []string
	seen  map[string]bool // a request may have very many members
}

func (w *extraWalk) parts(prefix string, parts []llm.Part) {
	for i := range parts {
		w.add(prefix, parts[i].Extra)
		if r := parts[i].Result; r != nil {
			w.parts(prefix+"content[].", r.Parts)
		}
		if d := parts[i].Document; d != nil {
			w.parts(prefix+"source.content[].", d.Parts)
		}
	}
}

// items notes the kinds of items that stand among the messages and have a row of their own, which says what to do.
func (w *extraWalk) items(message string, parts []llm.Part) {
	for i := range parts {
		o := parts[i].Opaque
		if o == nil || o.Dialect != string(w.from.Name) {
			continue
		}
		path := message + o.Type
		if slices.ContainsFunc(w.from.Fields, func(f Field) bool { return f.Path == path && f.Feature == "" }) {
			w.note(path)
		}
	}
}

func (w *extraWalk) add(prefix string, extra llm.Extra) {
	for _, m := range extra[string(w.from.Name)] {
		w.note(prefix + m.Key)
	}
}

func (w *extraWalk) note(path string) {
	if !w.seen[path] {
		w.seen[path] = true
		w.paths = append(w.paths, path)
	}
}

// BesideLosses are the losses of what answers of d were found to hold beside what d reads.
func BesideLosses(paths []string) []llm.Loss {
	losses := make([]llm.Loss, len(paths))
	for i, path := range paths {
		path = "answer." + path
		losses[i] = llm.Loss{
			Feature: llm.Feature(path), Path: path, Action: llm.ActionDropped, Severity: llm.Tuning,
			Detail: "what only the provider's own API has",
		}
	}
	return losses
}

// KeptPaths are the paths of what an answer of from, or an event of one, kept that clients of to are not shown.
func KeptPaths(from, to *Dialect, extra llm.Extra) (paths []string) {
	if from.Name == to.Name {
		return nil
	}
	for _, m := range extra[string(from.Name)] {
		if path := from.Kept[m.Key]; path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// HalfLoss is the loss of half of a surrogate pair, which JSON can say and no text has, in a request or, after the prefix
// "answer.", in an answer.
func HalfLoss(prefix string) llm.Loss {
	const feature = "half_character"
	return llm.Loss{
		Feature: feature, Path: prefix + feature, Action: llm.ActionApproximated, Severity: llm.Tuning,
		Detail: "half of a surrogate pair is written as U+FFFD",
	}
}

// Bounds of what a refusal names: the names may be the client's own.
const (
	maxRefused     = 8  // losses
	maxRefusedName = 80 // bytes of each
)

func clip(name string) string {
	if len(name) <= maxRefusedName {
		return name
	}
	return strings.ToValidUTF8(name[:maxRefusedName], "") + "…"
}

// RefusalMessage says in words why a request is not sent to a target.
func RefusalMessage(refused []llm.Loss, to Name) string {
	names := make([]string, 0, maxRefused+1)
	for _, l := range refused {
		name := clip(l.Name())
		if l.Detail != "" {
			name += " (" + l.Detail + ")"
		}
		if slices.Contains(names, name) {
			continue
		}
		if len(names) == maxRefused {
			names = append(names, "and more")
			break
		}
		names = append(names, name)
	}
	return "The target's API (" + string(to) + ") cannot carry: " + strings.Join(names, ", ") +
		". Remove it from the request, or let the route accept the loss with `loss: lenient` where that is possible."
}
