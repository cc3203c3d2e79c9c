//go:build !race

package gateway_test

// slower is how much longer everything takes than without the race detector.
const slower = 1
