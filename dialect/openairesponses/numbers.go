package openairesponses

import (
	"hash/maphash"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// numbers knows events that come a second time: the vendor numbers them, so one with the number and every byte of one of
// the latest is that one. Some servers give all their events one number; where numbers do not rise, they mean nothing.
type numbers struct {
	next   int64     // the number of the next event, if it is none again
	latest [8]uint64 // hashes of events, by their number
	broken bool
}

// hashSeed is of the hashes, which nobody outside can foresee.
var hashSeed = maphash.MakeSeed()

// isAgain reports whether an event came before, and otherwise remembers it.
func (n *numbers) isAgain(sequence jsontext.Value, data []byte) bool {
	number := indexOf(sequence, n.next)
	if sequence.Kind() != jsontext.Number || n.broken {
		n.next = number + 1
		return false
	}
	hash, place := maphash.Bytes(hashSeed, data), &n.latest[number%int64(len(n.latest))]
	if number < n.next {
		if *place == hash {
			return true
		}
		n.broken = true
	}
	n.next, *place = number+1, hash
	return false
}
