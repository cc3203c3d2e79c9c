package route

import "math/rand/v2"

// jitter is the randomness of all that must not happen at once, and of shares.
func jitter() float64 { return rand.Float64() }
