package openairesponses

import (
	"bytes"
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// opaqueItem keeps an item of a request that only this dialect knows, with what it says in words, if words can.
func opaqueItem(kind string, v jsontext.Value) llm.Part {
	return llm.Part{Kind: llm.PartOpaque, Text: inWords(kind, v), Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: v}}
}

// answeredItem keeps such an item of an answer. One that a client of this dialect would have to act on, or whose content
// no words replace, ends a translation: without it the answer would look whole.
func answeredItem(kind string, v jsontext.Value) (llm.Part, error) {
	if isForClient(kind, v) {
		return llm.Part{}, &llm.Error{
			Code: llm.CodeUnsupported, Origin: llm.OriginProvider,
			Message: "The provider's answer holds an item of type " + kind + ", which only clients of " + self + " can handle.",
		}
	}
	p := opaqueItem(kind, v)
	p.Opaque.Raw = bytes.Clone(p.Opaque.Raw)
	return p, nil
}

// isForClient reports whether an item asks the client to do something, or brings it a file. Some commands are run by the
// vendor itself.
func isForClient(kind string, v jsontext.Value) bool {
	switch kind {
	case "computer_call", "local_shell_call", "apply_patch_call", "mcp_approval_request", "image_generation_call":
		return true
	case "shell_call":
		return !is(v.Get("environment", "type"), "container_reference")
	}
	return false
}

// roleOf is who an item is from: what the client's tools put out is the user's, all else the model's.
func roleOf(kind string) llm.Role {
	switch {
	case strings.HasSuffix(kind, "_output") && kind != "program_output" && kind != "tool_search_output",
		kind == "mcp_approval_response", kind == "additional_tools", kind == "compaction_trigger", kind == itemReference:
		return llm.RoleUser
	}
	return llm.RoleAssistant
}

// maxWords is how many bytes of each text an item is said with.
const maxWords = 8 << 10

// inWords says what an item tells, for vendors that do not know its kind: openai.yaml, Item. What no words replace
// gives none.
func inWords(kind string, v jsontext.Value) string {
	switch kind {
	case "web_search_call":
		return searchInWords(v.Get("action"))
	case "file_search_call":
		return filesInWords(v)
	case "code_interpreter_call":
		return codeInWords(v)
	case "mcp_call":
		return said("Called "+textOf(v.Get("server_label"))+"."+textOf(v.Get("name"))+" with "+textOf(v.Get("arguments")),
			"It returned:", textOf(v.Get("output")))
	case "mcp_list_tools":
		return said("Tools of " + textOf(v.Get("server_label")) + ": " + strings.Join(textsOf(v.Get("tools"), "name"), ", "))
	case "program":
		return said("Ran the program:", textOf(v.Get("code")))
	case "program_output":
		return said("Result of the program:", textOf(v.Get("result")))
	}
	return shellInWords(kind, v)
}

// shellInWords says what the tools tell that the client runs.
func shellInWords(kind string, v jsontext.Value) string {
	switch kind {
	case "local_shell_call":
		return said("Ran the command:", strings.Join(stringsOf(v.Get("action", "command")), " "))
	case "shell_call":
		return said("Ran the commands:", strings.Join(stringsOf(v.Get("action", "commands")), "\n"))
	case "local_shell_call_output":
		return said("Output of the command:", textOf(v.Get("output")))
	case "shell_call_output":
		out := textsOf(v.Get("output"), "stdout")
		return said("Output of the commands:", strings.Join(append(out, textsOf(v.Get("output"), "stderr")...), "\n"))
	case "apply_patch_call":
		op := v.Get("operation")
		return said("Patch: "+textOf(op.Get("type"))+" "+textOf(op.Get("path")), textOf(op.Get("diff")))
	case "apply_patch_call_output":
		return said("The patch "+textOf(v.Get("status")), textOf(v.Get("output")))
	}
	return ""
}

// said puts lines that are not empty into brackets.
func said(lines ...string) string {
	list := lines[:0:0]
	for _, l := range lines {
		if l != "" {
			list = append(list, forms.Clip(l, maxWords))
		}
	}
	return "[" + strings.Join(list, "\n") + "]"
}

func searchInWords(action jsontext.Value) string {
	switch textOf(action.Get("type")) {
	case "open_page":
		return said("Opened the page " + textOf(action.Get("url")))
	case "find_in_page":
		return said("Looked for " + textOf(action.Get("pattern")) + " in " + textOf(action.Get("url")))
	}
	query := textOf(action.Get("query"))
	if query == "" {
		query = strings.Join(stringsOf(action.Get("queries")), ", ")
	}
	return said("Searched the web for: "+query, strings.Join(textsOf(action.Get("sources"), "url"), "\n"))
}

func filesInWords(v jsontext.Value) string {
	lines := []string{"Searched files for: " + strings.Join(stringsOf(v.Get("queries")), ", ")}
	_ = v.Get("results").Array(func(_ int, r jsontext.Value) error { // not an array: no results
		lines = append(lines, textOf(r.Get("filename"))+": "+textOf(r.Get("text")))
		return nil
	})
	return said(lines...)
}

func codeInWords(v jsontext.Value) string {
	lines := []string{"Ran the code:", textOf(v.Get("code"))}
	_ = v.Get("outputs").Array(func(_ int, o jsontext.Value) error { // not an array: no outputs
		if is(o.Get("type"), "logs") {
			lines = append(lines, "Output: "+textOf(o.Get("logs")))
		} else {
			lines = append(lines, "It made an image.")
		}
		return nil
	})
	return said(lines...)
}

// textOf is the text of a string, and nothing of another value.
func textOf(v jsontext.Value) string {
	if v.Kind() != jsontext.String {
		return ""
	}
	s, _ := v.Text() // a string of a checked document has a text
	return s
}

// stringsOf is the strings of a list.
func stringsOf(v jsontext.Value) []string {
	var list []string
	_ = v.Array(func(_ int, v jsontext.Value) error { // not an array: none
		if s := textOf(v); s != "" {
			list = append(list, s)
		}
		return nil
	})
	return list
}

// textsOf is the texts of a member of each object of a list.
func textsOf(v jsontext.Value, key string) []string {
	var list []string
	_ = v.Array(func(_ int, v jsontext.Value) error { // not an array: none
		if s := textOf(v.Get(key)); s != "" {
			list = append(list, s)
		}
		return nil
	})
	return list
}
