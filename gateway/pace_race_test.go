//go:build race

package gateway_test

// slowdown is how many times more patient those are who wait in vain: the race detector makes answers slow.
const slowdown = 2
