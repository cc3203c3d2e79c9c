package transport

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

var (
	// ErrTooLarge is the error of an answer larger, once decoded, than
	// Options.MaxBody.
	ErrTooLarge = errors.New("the answer is larger than the limit")
	// ErrEncoding is the error of an answer compressed in a way that was not asked
	// for and is not understood, or that is broken.
	ErrEncoding = errors.New("the answer's encoding cannot be read")
)

// decode sets a to resp's body without its compression, and bounded if limit is not
// 0. Nothing is compressed on request; some servers do it all the same.
func (a *answer) decode(resp *http.Response, limit int64) {
	*a = answer{source: resp.Body, r: resp.Body, bounded: limit > 0, left: limit}
	switch encoding := strings.ToLower(strings.Join(resp.Header["Content-Encoding"], ",")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		a.r = &gunzip{source: resp.Body}
	default:
		a.r = &failing{fmt.Errorf("%w: %.40q", ErrEncoding, encoding)}
	}
	delete(resp.Header, "Content-Encoding")
}

// answer is an answer's body.
type answer struct {
	source  io.Closer
	r       io.Reader
	bounded bool
	left    int64
}

// Read reads up to the limit, and fails if there is more.
func (a *answer) Read(p []byte) (int, error) {
	if !a.bounded {
		return a.r.Read(p)
	}
	if int64(len(p)) > a.left+1 {
		p = p[:a.left+1]
	}
	n, err := a.r.Read(p)
	if int64(n) > a.left {
		return int(a.left), ErrTooLarge
	}
	a.left -= int64(n)
	return n, err
}

// Close gives the answer up, and what is left of it.
func (a *answer) Close() error { return a.source.Close() }

// gunzip reads gzip as it arrives: what the other side has flushed can be read. It
// waits for nothing before the first Read.
type gunzip struct {
	source io.Reader
	z      *gzip.Reader
	err    error
}

// Read reads decompressed bytes.
func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.err != nil {
		return 0, g.err
	}
	if g.z == nil {
		g.z, err = gzip.NewReader(bufio.NewReaderSize(g.source, ioBuffer))
	}
	if err == nil {
		n, err = g.z.Read(p)
	}
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt) {
		err = fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	g.err = err
	return n, err
}

// failing is a body that cannot be read.
type failing struct{ err error }

// Read fails.
func (f *failing) Read([]byte) (int, error) { return 0, f.err }
