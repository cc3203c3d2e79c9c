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
type commands struct {
	LogLevel  slog.Level `help:"Log from this level on: debug, info (if not given), warn or error." default:"info" placeholder:"LEVEL"`
	LogFormat string     `help:"Log as text or json; auto is text on a terminal, else json." enum:"auto,text,json" default:"auto"`

	Serve     serveCommand     `cmd:"" help:"Run the gateway."`
	Check     checkCommand     `cmd:"" help:"Check the config, and with --live every key."`
	Models    modelsCommand    `cmd:"" help:"List the models that can be asked for, or compare some."`
	Catalog   catalogCommand   `cmd:"" help:"Renew what is known of models."`
	Drill     drillCommand     `cmd:"" help:"Break a provider on purpose, for a while, and see what comes of it."`
	Evacuate  evacuateCommand  `cmd:"" help:"Move all traffic off a provider, or see what that would do."`
	Restore   restoreCommand   `cmd:"" help:"Bring an evacuated provider back."`
	Health    healthCommand    `cmd:"" help:"Show how every target fares, and why."`
	Keys      keysCommand      `cmd:"" help:"Make, list, change, rotate and revoke the keys of clients."`
	Admins    adminsCommand    `cmd:"" help:"Say who may use the admin API, and for what."`
	Usage     usageCommand     `cmd:"" help:"Report what was used and what it cost, or compare it with an invoice."`
	Budgets   budgetsCommand   `cmd:"" help:"Show, set and remove what may be spent."`
	Ledger    ledgerCommand    `cmd:"" help:"Verify the ledger, correct it, back it up and restore it."`
	Translate translateCommand `cmd:"" help:"Translate a request, answer or stream from one API to another, offline."`
	Demo      demoCommand      `cmd:"" help:"See two simulated vendors fail, and no application notice."`
	Version   versionCommand   `cmd:"" help:"Say what this is."`
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
	var cmd commands
	parser, err := kong.New(&cmd,
		kong.Name(name),
		kong.Description("An LLM gateway: applications keep the API they speak, and another vendor's model stands in when theirs fails."),
		kong.Writers(out, errOut),
		kong.Vars{"abilities": strings.Join(app.Abilities(), ", "), "columns": strings.Join(app.UsageColumns(), ", ")},
		kong.Exit(func(code int) { panic(exit(code)) }), // kong's way out of --help; it must not return
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
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
	if len(args) == 0 {
		args = []string{"--help"}
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(inert{errOut}, "%s: %v\n%s\n", name, err, usageHint(err))
		return exitUsage
	}
	lines := &logWriter{w: errOut}
	defer lines.Flush() //nolint:errcheck // nobody is there to hear that a log cannot be written
	s := &session{in: in, out: out, err: errOut, log: newLog(errOut, lines, cmd.LogFormat, cmd.LogLevel), started: started}
	if err := chosen.Run(s); err != nil {
		return s.report(err)
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
	f, ok := w.(*os.File)
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
