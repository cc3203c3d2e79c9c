package cli

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/app"
)

type correctCommand struct {
	configFlag
	Attempt string `arg:"" help:"The call's id, and which of its attempts: call_…/1." placeholder:"CALL/ATTEMPT"`
	Cost    string `help:"What it really cost, in USD." required:"" placeholder:"USD"`
	Reason  string `help:"Why, for whoever reads the ledger." required:"" placeholder:"TEXT"`
}

// Help shows how ledger correct is used.
func (correctCommand) Help() string {
	return "A row of the ledger is never changed: the correction is a row of its own, with its reason and who made it, in a chain that ledger verify " +
		"follows. Reports and limits count what the attempt really cost, on its day. The call's id is in the header X-Understudy-Call " +
		"and in the log. A gateway may be running.\n\n" +
		examples(`understudy ledger correct call_hb2k5m7p4q6r3s5t7v2w4x6y2z/1 --cost 0.0123 --reason "invoice of November"`)
}

// Run corrects an attempt.
func (c correctCommand) Run(s *session) error {
	call, text, _ := strings.Cut(c.Attempt, "/")
	attempt, err := strconv.ParseInt(text, 10, 64)
	if call == "" || err != nil || attempt < 1 {
		return usageError{fmt.Sprintf("got %q, want a call and an attempt of it such as call_hb2k5m7p4q6r3s5t7v2w4x6y2z/1", c.Attempt)}
	}
	if c.Reason = strings.TrimSpace(c.Reason); c.Reason == "" {
		return usageError{"--reason: got nothing, want why"}
	}
	conf, err := app.Load(c.path(), nil)
	if err != nil {
		return err
	}
	k := app.Correction{Call: call, Attempt: attempt, Cost: c.Cost, Reason: c.Reason}
	if u, err := user.Current(); err == nil {
		k.Maker = u.Username
	}
	was, err := app.CorrectLedger(context.Background(), conf, &k)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %s USD instead of %s\n", c.Attempt, c.Cost, was)
	return nil
}
