package postgres

import (
	"math/rand/v2"
	"time"
)

// jitter is a random time up to d.
func jitter(d time.Duration) time.Duration { return rand.N(d) }
