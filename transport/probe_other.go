//go:build !unix

package transport

// probe does nothing where the kernel cannot be asked so: a connection that its peer has
// closed is found when it is used.
func probe(*writeBound) func() bool { return func() bool { return true } }

// asker is nil, as there is no such way.
func asker(*writeBound) func(request *[]byte) (quiet bool, err error) { return nil }
