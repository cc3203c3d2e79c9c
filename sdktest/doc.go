// Package sdktest runs the vendors' official SDKs for Go, Python and TypeScript, and what people
// use on top of them, against the built binary. OpenAI's and Anthropic's play the same scenarios,
// named alike, in the three languages; the others are each served by every vendor. sdktest/run
// plays them all; the stage they share is the program vendors, their common data is in testdata.
// The module is one of its own so that no SDK becomes a dependency of the product, and it has
// nothing to import.
package sdktest
