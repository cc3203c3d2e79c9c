package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

const (
	nameOpenAI    = "alpha" // as in the config
	nameAnthropic = "beta"
	vendorKey     = "key-of-the-simulated-vendors"
	largeModel    = "large"
	thinkingTime  = 10 * time.Millisecond // of a healthy vendor, before it answers
	wordTime      = 2 * time.Millisecond  // and before each word it streams
	sampleLineEnd = "The show goes on, line by line, whoever speaks it."
)

// vendor is a simulated vendor.
type vendor struct {
	name    string
	apiName string
	api     api // that the applications written for it speak
	server  *fakeprovider.Server
}

// newVendors returns the vendor that speaks OpenAI's API and the one that speaks Anthropic's; neither
// listens yet.
func newVendors() (openAI, anthropic *vendor) {
	return newVendor(nameOpenAI, "OpenAI Chat", chat{}), newVendor(nameAnthropic, "Anthropic Messages", messages{})
}

func newVendor(name, apiName string, a api) *vendor {
	return &vendor{name: name, apiName: apiName, api: a, server: fakeprovider.New(fakeprovider.Options{
		Key: vendorKey, Models: []string{largeModel}, Keep: -1,
		Script: func(ask fakeprovider.Ask) *fakeprovider.Reply { return reply(name, ask) },
	})}
}

// says is what a vendor's model answers to a prompt. It names the vendor and the prompt, so that an
// answer that was cut, doubled or given to somebody else is recognised.
func says(vendor, prompt string) string {
	return fmt.Sprintf("This is %s. 🎭 You said: “%s”. %s", vendor, prompt, sampleLineEnd)
}

// reply is what the model named by vendor does with a request: it answers in its own words, or goes
// on in those of whoever began the answer. Tools, schemas and pictures, which
// only somebody who tries the running demo sends, get the answers of the fake provider's own rules.
func reply(vendor string, ask fakeprovider.Ask) *fakeprovider.Reply {
	if len(ask.Tools) > 0 || len(ask.Results) > 0 || len(ask.Media) > 0 || ask.Schema != nil || ask.JSON {
		return nil
	}
	text := says(vendor, ask.Text)
	for _, name := range []string{nameOpenAI, nameAnthropic} {
		if begun := says(name, ask.Text); ask.Said != "" && strings.HasPrefix(begun, ask.Said) {
			text = begun
		}
	}
	return &fakeprovider.Reply{Text: text, FirstDelay: thinkingTime, Delay: wordTime}
}

// breakWith breaks the vendor until mend is called.
func (v *vendor) breakWith(kind string) error {
	if err := v.server.SetFault(&fakeprovider.Fault{Kind: kind}); err != nil {
		return fmt.Errorf("break vendor %s: %w", v.name, err)
	}
	return nil
}

func (v *vendor) mend() error {
	if err := v.server.SetFault(nil); err != nil {
		return fmt.Errorf("mend vendor %s: %w", v.name, err)
	}
	return nil
}
