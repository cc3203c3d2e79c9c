package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

func TestLossesPage(t *testing.T) { check(t, "losses.md", lossesPage()) }

func lossesPage() string {
	var b strings.Builder
	b.WriteString(`# What a translation loses

Made from the dialects' tables; do not edit, run ` + "`make docs`" + `.

What becomes of each field that a client of one API can send, when the call is served by a provider that speaks another: a chapter for
each API that clients speak, a column for each that providers speak.

| word | meaning |
|---|---|
| mapped | carried whole |
| emulated | same meaning, by other means |
| approximated | carried with a changed meaning, and reported |
| dropped | left out, and reported |
| refused | the application's code may depend on it: the request is not sent to such a target, unless the route says ` + "`loss: lenient`" + ` |
| refused, always | refused even then: it is content, a safety control or state |

*Tuning* beside a word says that the style or quality of the answer may differ, *contract* that code may depend on it. Without them only
cost, speed or bookkeeping do. ` + "`loss: strict`" + ` refuses everything but mapped, emulated and what has no such mark. What was lost is in the
` + "`X-Understudy-Loss`" + ` header and the log. Between a client and a provider of the same API nothing is lost: the bytes are relayed. A
field that this gateway does not know is dropped, *tuning*, wherever it stands; so is what only the provider's own API has in an answer,
reported as ` + "`answer.`" + ` and its path. Half of a surrogate pair, which JSON can say and no text has, is written as U+FFFD: ` + "`half_character`" + `
or ` + "`answer.half_character`" + `, approximated, *tuning*.
`)
	chapters(&b, dialects())
	for _, op := range []dialect.Operation{dialect.Embed, dialect.Rerank, dialect.CountTokens} {
		list := slices.DeleteFunc(operations(), func(d *dialect.Dialect) bool { return d.Operation != op })
		if len(list) > 1 {
			fmt.Fprintf(&b, "\n# To %s\n", op)
			chapters(&b, list)
		}
	}
	return b.String()
}

// chapters writes one chapter for each dialect of one operation, as the client's.
func chapters(b *strings.Builder, list []*dialect.Dialect) {
	for _, from := range list {
		if len(from.Endpoints) == 0 {
			continue // no client speaks it
		}
		var others []*dialect.Dialect
		for _, to := range list {
			if to.Name != from.Name {
				others = append(others, to)
			}
		}
		chapter(b, from, others)
	}
}

// footnotes are the notes of one chapter, each once.
type footnotes []string

// mark is the number of a note, to stand behind a word; empty for none.
func (f *footnotes) mark(note string) string {
	if note == "" {
		return ""
	}
	n := slices.Index(*f, note)
	if n < 0 {
		n = len(*f)
		*f = append(*f, note)
	}
	return fmt.Sprintf(" <sup>%d</sup>", n+1)
}

// chapter says what becomes of the fields of one dialect: those that differ from target to target in a table, the
// others in lists.
func chapter(b *strings.Builder, from *dialect.Dialect, targets []*dialect.Dialect) {
	var notes footnotes
	var everywhere, rows, own []string
	for _, f := range from.Fields {
		if f.Feature == "" {
			own = append(own, fmt.Sprintf("| `%s` | %s | %s |", f.Path, becomes(dialect.FieldLoss(f)), f.Note))
			continue
		}
		row, plain := "| `"+f.Path+"`"+notes.mark(f.Note)+" |", f.Note == ""
		for _, to := range targets {
			word := "mapped"
			loss, lost := dialect.Verdict(from, to, f.Feature)
			if lost {
				word = becomes(loss)
			}
			plain = plain && !lost && loss.Detail == ""
			row += " " + word + notes.mark(loss.Detail) + " |"
		}
		if plain {
			everywhere = append(everywhere, "`"+f.Path+"`")
		} else {
			rows = append(rows, row)
		}
	}
	fmt.Fprintf(b, "\n## From %s\n", from.Name)
	if len(everywhere) > 0 {
		fmt.Fprintf(b, "\nMapped everywhere: %s.\n", strings.Join(everywhere, ", "))
	}
	table(b, rows, targets)
	for i, note := range notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "%d. %s\n", i+1, note)
	}
	if len(own) > 0 {
		fmt.Fprintf(b, "\nWhat no other API has:\n\n| field | becomes | what it is |\n|---|---|---|\n%s\n", strings.Join(own, "\n"))
	}
}

func table(b *strings.Builder, rows []string, targets []*dialect.Dialect) {
	if len(rows) == 0 {
		return
	}
	b.WriteString("\n| field |")
	for _, to := range targets {
		fmt.Fprintf(b, " to %s |", to.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(targets)) + "\n" + strings.Join(rows, "\n") + "\n")
}

func becomes(l llm.Loss) string {
	switch {
	case l.Action == llm.ActionRefused && l.Absolute:
		return "refused, always"
	case l.Action == llm.ActionRefused, l.Action == llm.ActionEmulated, l.Severity == llm.Harmless:
		return string(l.Action)
	}
	return string(l.Action) + ", *" + string(l.Severity) + "*"
}
