//go:build !failpoints

package app

import (
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/store/journal"
)

// failpoints leaves a journal's options as they are: only a binary that is built to fail has any.
func failpoints(*journal.Options) {}

// faulty leaves a sender without faults.
func faulty(s gateway.Sender) gateway.Sender { return s }
