package gateway

import (
	"math/rand/v2"
	"time"
)

// maxPause bounds the wait before a lone target is asked again. The wait is random
// below it, so that calls that failed together do not return together.
const maxPause = 500 * time.Millisecond

// pause waits a little. It is false when the call ended meanwhile.
func (c *call) pause() bool {
	timer := time.NewTimer(rand.N(maxPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}
