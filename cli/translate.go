package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/app"
)

type translateCommand struct {
	From  string `required:"" help:"The dialect of the input, such as openai-chat." placeholder:"DIALECT"`
	To    string `required:"" help:"The dialect of the output, such as anthropic-messages." placeholder:"DIALECT"`
	Kind  string `help:"What the input is: request, response or stream. If not given, it is told from the input." enum:",request,response,stream" default:"" placeholder:"KIND"`
	Model string `help:"The model that a request is for, as its provider names it. If not given, the one that the request names." placeholder:"MODEL"`
	Loss  string `help:"What may be lost: strict, report (if not given) or lenient, as the config has it." enum:"strict,report,lenient" default:"report" placeholder:"POLICY"`
}

// Help shows how translate is used.
func (translateCommand) Help() string {
	return "Reads the standard input and writes the standard output. What is lost is written to the standard error, a line each. " +
		"Exits with 1 when the loss is refused. Dialects: " + strings.Join(app.DialectNames(), ", ") + ".\n\n" +
		examples("understudy translate --from openai-chat --to anthropic-messages --model claude-sonnet-5 < request.json",
			"understudy translate --from anthropic-messages --to openai-chat < stream.sse")
}

// Run translates.
func (c translateCommand) Run(s *session) error {
	for _, flag := range []struct{ name, value string }{{"--from", c.From}, {"--to", c.To}} {
		if names := app.DialectNames(); !slices.Contains(names, flag.value) {
			return usageError{fmt.Sprintf("%s: got %q, want one of %s", flag.name, flag.value, strings.Join(names, ", "))}
		}
	}
	if f, ok := s.in.(*os.File); ok && isTerminal(f) {
		fmt.Fprintln(s.err, "note: reading from the terminal; the end of the input is Ctrl-D")
	}
	losses, err := app.Translate(s.in, s.out, app.Translation{From: c.From, To: c.To, Kind: c.Kind, Model: c.Model, Loss: c.Loss})
	for _, l := range losses {
		fmt.Fprintf(s.err, "loss: %s\n", l)
	}
	return err
}
