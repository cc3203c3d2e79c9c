//go:build !unix

package fakeprovider

// hold does nothing: somebody else may be given the port meanwhile.
func hold(string) (release func()) { return func() {} }
