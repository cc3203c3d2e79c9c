package demo

import (
	_ "embed"
	"fmt"
	"io"
	"text/template"
)

//go:embed snippets.tmpl
var snippets string

// printSnippets writes what can be pasted against the running demo.
func printSnippets(w io.Writer, gw *gateway, control string, st *stage) error {
	t, err := template.New("snippets").Parse(snippets)
	if err != nil {
		return fmt.Errorf("read snippets: %w", err)
	}
	err = t.Execute(w, map[string]string{
		"Gateway": gw.url, "Admin": gw.app.AdminAddr(), "Token": gw.app.AdminToken(), "Control": control, "Config": string(st.configText), "ConfigPath": st.configPath(),
		"Assistant": modelAssistant, "Writer": modelWriter,
		"OpenAI": st.openAI.name, "Anthropic": st.anthropic.name,
	})
	if err != nil {
		return fmt.Errorf("write snippets: %w", err)
	}
	return nil
}
