// Package cli is the command line: one file for each subcommand. It reads flags,
// calls app, and writes what came of it for people or, with --json, for programs.
// Results go to the standard output; logs, losses and errors to the standard error.
// It holds no logic of the gateway.
package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/understudy-ai/understudy/admin/client"
	"github.com/understudy-ai/understudy/app"
	"github.com/understudy-ai/understudy/config"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const name = "understudy"

// commands is the tree of commands; a new one is a line here and a file beside this
// one.
func commands() []command {
	return []command{
		{"serve", "Run the gateway.", new(serveCommand)},
		{"check", "Check the config, and with --live every key.", new(checkCommand)},
		{"models", "List the models that can be asked for, or compare some.", new(modelsCommand)},
		{"catalog", "Renew what is known of models.", new(catalogCommand)},
		{"drill", "Break a provider on purpose, for a while, and see what comes of it.", new(drillCommand)},
		{"evacuate", "Move all traffic off a provider, or see what that would do.", new(evacuateCommand)},
		{"restore", "Bring an evacuated provider back.", new(restoreCommand)},
		{"health", "Show how every target fares, and why.", new(healthCommand)},
		{"keys", "Make, list, change, rotate and revoke the keys of clients.", new(keysCommand)},
		{"admins", "Say who may use the admin API, and for what.", new(adminsCommand)},
		{"usage", "Report what was used and what it cost, or compare it with an invoice.", new(usageCommand)},
		{"budgets", "Show, set and remove what may be spent.", new(budgetsCommand)},
		{"ledger", "Verify the ledger, correct it, back it up and restore it.", new(ledgerCommand)},
		{"translate", "Translate a request, answer or stream from one API to another, offline.", new(translateCommand)},
		{"demo", "See two simulated vendors fail, and no application notice.", new(demoCommand)},
		{"version", "Say what this is.", new(versionCommand)},
	}
}

type command struct {
	name, help string
	target     any
}

// common are the flags of all commands.
type common struct {
	LogLevel  slog.Level `help:"Log from this level on: debug, info (if not given), warn or error." default:"info" placeholder:"LEVEL"`
	LogFormat string     `help:"Log as text or json; auto is text on a terminal, else json." enum:"auto,text,json" default:"auto"`
}

// tree is the commands as options of the parser. Where args begin with one, it is that one alone: to read the flags of all takes
// longer than most commands do.
func tree(args []string) []kong.Option {
	all := commands()
	if i := slices.IndexFunc(all, func(c command) bool { return len(args) > 0 && c.name == args[0] }); i >= 0 {
		all = all[i : i+1]
	}
	var options []kong.Option
	for _, c := range all {
		options = append(options, kong.DynamicCommand(c.name, c.help, "", c.target))
	}
	return options
}

// session is what a command has to work with.
type session struct {
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
	started  func() // ends what easeStart began, for a command that goes on
}

// Main runs the command that args name, and returns the exit code: 0 for done, 1
// for failed, 2 for wrong usage.
func Main(args []string, in io.Reader, out, errOut io.Writer) (code int) {
	started := easeStart()
	defer started()
	results := &output{w: out}
	var flags common
	parser, err := kong.New(&flags, append(tree(args),
		kong.Name(name),
		kong.Description("An LLM gateway: applications keep the API they speak, and another vendor's model stands in when theirs fails."),
		kong.Writers(results, errOut),
		kong.Vars{"abilities": strings.Join(app.Abilities(), ", "), "columns": strings.Join(app.UsageColumns(), ", ")},
		kong.Exit(func(code int) { panic(exit(code)) }), // kong's way out of --help; it must not return
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: columns(results)}),
	)...)
	if err != nil {
		panic("BUG: cli: " + err.Error())
	}
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(exit)
			if !ok {
				panic(p)
			}
			code = int(c)
		}
	}()
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case len(args) == 1 && args[0] == "--version":
		args = []string{"version"}
	}
	chosen, err := parser.Parse(args)
	if lost := results.err(); lost != nil { // of the help
		fmt.Fprintf(errOut, "%s: write the help: %v\n", name, lost)
		return exitFailed
	}
	if err != nil {
		fmt.Fprintf(inert{errOut}, "%s: %v\n%s\n", name, err, usageHint(err))
		return exitUsage
	}
	lines := &logWriter{w: errOut}
	defer lines.Flush() //nolint:errcheck // nobody is there to hear that a log cannot be written
	s := &session{in: in, out: results, err: errOut, log: newLog(errOut, lines, flags.LogFormat, flags.LogLevel), started: started}
	if err := chosen.Run(s); err != nil {
		return s.report(err)
	}
	if err := results.err(); err != nil {
		return s.report(fmt.Errorf("write the result: %w", err))
	}
	return exitDone
}

// exit is an exit code on its way through a panic.
type exit int

// usageError is wrong usage that only the command itself could tell.
type usageError struct{ message string }

// Error returns the message.
func (e usageError) Error() string { return e.message }

// errTold is a failure that the command has already told.
var errTold = errors.New("failed")

// report tells an error and returns its exit code.
func (s *session) report(err error) int {
	told := inert{s.err} // a gateway or a file may have worded it
	var usage usageError
	var refused *client.Error
	var unreachable *client.UnreachableError
	switch {
	case errors.Is(err, errTold):
	case errors.As(err, &usage):
		fmt.Fprintf(told, "%s: %v\n", name, err)
		return exitUsage
	case isProblem(err):
		fmt.Fprintln(told, err) // begins with the file's name
	case errors.As(err, &unreachable):
		fmt.Fprintf(told, "%s: %v\nhint: start it with %s serve, or say where it listens with --admin\n", name, err, name)
	case errors.As(err, &refused) && refused.IsTokenUnknown():
		fmt.Fprintf(told, "%s: the gateway does not know this admin token\n%s\n", name, lostToken)
	default:
		fmt.Fprintf(told, "%s: %v\n", name, err)
	}
	return exitFailed
}

func isProblem(err error) bool {
	var one config.Problem
	var all config.Problems
	return errors.As(err, &one) && one.File != "" || errors.As(err, &all) && len(all) > 0 && all[0].File != ""
}

func usageHint(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			return "hint: " + node.FullPath() + " --help shows an example"
		}
	}
	return "hint: " + name + " --help lists the commands"
}

// newLog logs to w, through lines, in the format that fits it.
func newLog(w io.Writer, lines *logWriter, format string, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "text" || format == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(lines, o))
	}
	return slog.New(newLineHandler(lines, o))
}

// isTerminal reports whether somebody may be watching w.
func isTerminal(w io.Writer) bool {
	f, ok := fileOf(w)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// hasColor reports whether colours are welcome on w (https://no-color.org).
func hasColor(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// configFlag is the flag that names the config file.
type configFlag struct {
	Config string `help:"The config file. If not given: understudy.yaml where there is one; without it, providers whose key variables are set are enabled." placeholder:"FILE" short:"c"`
}

// path returns the file to read; empty if there is none.
func (f configFlag) path() string {
	if f.Config != "" {
		return f.Config
	}
	if _, err := os.Stat(config.DefaultPath); err != nil {
		return ""
	}
	return config.DefaultPath
}

// examples is the part of a command's help that shows how it is used.
func examples(lines ...string) string {
	return "Examples:\n\n  " + strings.Join(lines, "\n  ")
}
