// Package llm is the vocabulary of model calls that belongs to no vendor: a
// Request with its Messages and Tools, the Response to it, the Events a
// response is streamed as, its Usage, the Errors a call can end in, and the
// Losses a translation can cause.
//
// Every dialect decodes to these values and encodes from them, so that N
// dialects need 2N codecs and never N×M. A field is here when two dialects have
// it or a policy reads it; everything else travels in Extra, keyed by the
// dialect it came from, and is restored only there.
//
// The package holds values and a few pure functions over them. It does not know
// any wire format, does no I/O and imports nothing of this module.
package llm
