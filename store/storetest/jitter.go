package storetest

import "math/rand/v2"

// dice is a number below n that nobody can foresee: what is raced is another race each time.
func dice(n int) int { return rand.IntN(n) }

// shuffle puts a list in another order.
func shuffle[T any](list []T) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}
