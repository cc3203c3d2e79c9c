//go:build race

package gateway_test

// slower is how much longer the race detector makes everything take.
const slower = 2
