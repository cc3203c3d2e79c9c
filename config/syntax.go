package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxFile is far above any config and far below what would hurt.
	maxFile = 1 << 20
	// maxDepth is far above the six levels that the file has. The YAML library takes
	// time by the square of the depth, so it is held to this beforehand.
	maxDepth = 32
)

// readFile reads at most maxFile bytes. Whatever is wrong is a Problem.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, Problem{File: path, Message: "cannot be opened: " + err.Error()}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, Problem{File: path, Message: "cannot be read: " + err.Error()}
	}
	return data, nil
}

// parseYAML reads the YAML of one document; nil when it is empty. What a config
// has no use for and an attacker has, such as anchors, is refused before the
// parser sees it.
func parseYAML(file string, data []byte) (ast.Node, error) {
	problem := func(line, column int, format string, args ...any) error {
		return Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	}
	if len(data) > maxFile {
		line := 1 + bytes.Count(data[:maxFile], []byte("\n"))
		return nil, problem(line, 1, "got more than %s up to this line, want a smaller file", Size(maxFile))
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for i, text := range bytes.SplitAfter(data, []byte("\n")) {
		if !utf8.Valid(text) {
			return nil, problem(i+1, 1, "got bytes that are not UTF-8, want a text file")
		}
		if at := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }); at >= 0 {
			return nil, problem(i+1, 1+utf8.RuneCount(text[:at]), "got a control character, want a text file")
		}
	}
	tokens := lexer.Tokenize(string(data))
	if at, message := checkTokens(tokens); at != nil {
		return nil, problem(at.Line, at.Column, "%s", message)
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax *yaml.SyntaxError
		if !errors.As(err, &syntax) || syntax.Token == nil {
			return nil, problem(0, 0, "got text that is not YAML")
		}
		at := syntax.Token.Position
		return nil, problem(at.Line, at.Column, "%s", explain(syntax.Message))
	}
	var body ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			at := doc.Body.GetToken().Position
			return nil, problem(at.Line, at.Column, "got a second document, want one")
		}
		body = doc.Body
	}
	if _, onlyComments := body.(*ast.CommentGroupNode); onlyComments {
		return nil, nil
	}
	return body, nil
}

// checkTokens looks for what is refused unparsed, and says where and why.
func checkTokens(tokens token.Tokens) (at *token.Position, message string) {
	var flow, inLine, line int
	for _, t := range tokens {
		if t.Position.Line != line {
			line, inLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return t.Position, "got an anchor, an alias or a merge key, want the value written out"
		case token.TagType:
			return t.Position, "got a tag, want a plain value"
		case token.DirectiveType:
			return t.Position, "got a YAML directive, want none"
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			inLine++
		default:
		}
		if flow+inLine > maxDepth {
			return t.Position, fmt.Sprintf("got more than %d levels, want fewer", maxDepth)
		}
	}
	return nil, ""
}

// explain words a syntax error for somebody who writes YAML twice a year.
func explain(message string) string {
	switch {
	case strings.Contains(message, "tab character"), strings.Contains(message, `character '\t'`),
		strings.Contains(message, "character '\t'"):
		return "got a tab, want spaces: YAML does not indent with tabs"
	case strings.Contains(message, "mapping value is not allowed"):
		return `got a second ": " in one line, want the value in quotes or on a line of its own`
	case strings.Contains(message, "value is not allowed in this context"):
		return "got a line that is indented like no line above it, want it below its key by two spaces"
	case strings.Contains(message, "unexpected key name"):
		return `got a line without ": ", want key: value`
	}
	return "got text that is not YAML: " + message
}
