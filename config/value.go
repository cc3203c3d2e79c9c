package config

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// Key says where a provider's key is. The zero value says nothing; the provider's
// facts then do. It never holds the key itself.
type Key struct {
	Env  string // name of an environment variable
	File string // path of a file that holds the key and nothing else
	None bool   // there is no key
	// Command is what prints the key and nothing else, and Every how often it is run beside the start and each reload; 0 for
	// not at all. Timeout is how long it may take.
	Command        Command
	Every, Timeout time.Duration
	// Optional is set where nothing is said and the environment may have credentials of
	// another kind: the variable need not be set.
	Optional bool
}

// Command is a program and its arguments, each ended by a NUL, so that keys can be compared.
type Command string

// Words are the program and its arguments.
func (c Command) Words() []string {
	return strings.Split(strings.TrimSuffix(string(c), "\x00"), "\x00")
}

// usualCommandTime is how long a command may take if nothing is said.
const usualCommandTime = 10 * time.Second

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

	errLiteralKey = errors.New("got a literal value, want env:NAME, file:/path or none" +
		" (a key does not belong in this file: put it in an environment variable and write, for example, key: env:MY_KEY)")
	errEnvName = errors.New("got env: without a variable's name, want env:NAME of letters, digits and _" +
		" (the key itself does not belong in this file)")
	errFilePath = errors.New("got file: without a path, want file:/path")
	errCommand  = errors.New("got a command as one text, want its words: {command: [PROGRAM, ARGUMENT, ...]}, which no shell reads")
)

// UnmarshalText reads a reference. What it is given may be a key, so errors do not
// quote it.
func (k *Key) UnmarshalText(text []byte) error {
	kind, rest, _ := strings.Cut(string(text), ":")
	switch {
	case string(text) == "none":
		*k = Key{None: true}
	case kind == "env" && len(rest) <= 64 && envName.MatchString(rest):
		*k = Key{Env: rest}
	case kind == "env":
		return errEnvName
	case kind == "file" && rest != "":
		*k = Key{File: rest}
	case kind == "file":
		return errFilePath
	case kind == "command":
		return errCommand
	default:
		return errLiteralKey
	}
	return nil
}

// String writes the reference as in the file, and one that may lead nowhere as such. Of a command it names the program alone:
// what its arguments say of a vault is for readers of the file, and goes into no log.
func (k Key) String() string {
	switch {
	case k.Optional:
		return "env:" + k.Env + " if it is set"
	case k.None:
		return "none"
	case k.File != "":
		return "file:" + k.File
	case k.Command != "":
		return "command " + k.Command.Words()[0]
	case k.Env != "":
		return "env:" + k.Env
	}
	return ""
}

// Time is a time, or the beginning of a day in UTC.
type Time struct{ time.Time }

// UnmarshalText reads a time.
func (t *Time) UnmarshalText(text []byte) error {
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if parsed, err := time.Parse(form, string(text)); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return errors.New("got " + quote(string(text)) + ", want a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
}

// Target is a provider and the model to ask it for.
type Target struct{ Provider, Model string }

// UnmarshalText reads provider/model.
func (t *Target) UnmarshalText(text []byte) error {
	name, model, ok := strings.Cut(string(text), "/")
	if !ok || !isProviderName(name) || !isModelName(model) {
		return errors.New("got " + quote(string(text)) + ", want provider/model")
	}
	*t = Target{Provider: name, Model: model}
	return nil
}

// String is provider/model.
func (t Target) String() string { return t.Provider + "/" + t.Model }

// Size is a number of bytes.
type Size int64

// UnmarshalText reads a number of bytes, or of KiB, MiB or GiB.
func (s *Size) UnmarshalText(text []byte) error {
	want := errors.New("got " + quote(string(text)) + ", want a size such as 64MiB")
	digits, shift := string(text), 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if before, ok := strings.CutSuffix(digits, unit); ok {
			digits, shift = strings.TrimSpace(before), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return want
	}
	*s = Size(n << shift)
	return nil
}

// String writes the size with the largest unit that leaves a whole number.
func (s Size) String() string {
	for _, unit := range []struct {
		name  string
		bytes Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s >= unit.bytes && s%unit.bytes == 0 {
			return strconv.FormatInt(int64(s/unit.bytes), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// After is a time, or a percentile of the times that are usual.
type After struct {
	Time       time.Duration
	Percentile int // 0 if it is a time
}

// UnmarshalText reads a duration, or p and a number below a hundred.
func (a *After) UnmarshalText(text []byte) error {
	if digits, ok := strings.CutPrefix(string(text), "p"); ok {
		if n, err := strconv.Atoi(digits); err == nil && 50 <= n && n <= 99 {
			*a = After{Percentile: n}
			return nil
		}
	} else if d, err := time.ParseDuration(string(text)); err == nil && time.Millisecond <= d && d <= 10*time.Minute {
		*a = After{Time: d}
		return nil
	}
	return errors.New("got " + quote(string(text)) + ", want a time from 1ms to 10m, or p50 to p99")
}

// String writes it as in the file.
func (a After) String() string {
	if a.Percentile > 0 {
		return "p" + strconv.Itoa(a.Percentile)
	}
	return FormatDuration(a.Time)
}

// Share is a part of a whole.
type Share float64

// UnmarshalText reads a percentage.
func (s *Share) UnmarshalText(text []byte) error {
	digits, ok := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(0 < f && f <= 100) {
		return errors.New("got " + quote(string(text)) + ", want a share such as 5%")
	}
	*s = Share(f / 100)
	return nil
}

// String writes it as in the file.
func (s Share) String() string { return strconv.FormatFloat(float64(s)*100, 'g', 4, 64) + "%" }

// Amount is an amount of money.
type Amount budget.Money

// UnmarshalText reads dollars such as 500 USD, exactly.
func (a *Amount) UnmarshalText(text []byte) error {
	number, isUSD := strings.CutSuffix(string(text), "USD")
	m, err := budget.ParseMoney(strings.TrimSpace(number))
	if !isUSD || err != nil || m < 0 {
		return errors.New("got " + quote(string(text)) + ", want an amount such as 500 USD or 0.25 USD")
	}
	*a = Amount(m)
	return nil
}

// String writes it as it is read.
func (a Amount) String() string { return budget.Money(a).String() + " USD" }

// FormatDuration writes a duration as people do: 10m, not 10m0s.
func FormatDuration(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

var providerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// isProviderName reports whether a provider may be called so: the name stands in
// headers, logs and before the slash of a target.
func isProviderName(s string) bool { return len(s) <= 64 && providerName.MatchString(s) }

// isModelName reports whether clients can ask for a model so: 1 to 256 printable
// ASCII characters, no space.
func isModelName(s string) bool {
	return len(s) >= 1 && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// quote quotes what was found, cut to a readable length.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
