//go:build !failpoints

package app

import "github.com/understudy-ai/understudy/store/journal"

// failpoints leaves a journal's options as they are: only a binary that is built to be killed has any.
func failpoints(*journal.Options) {}
