package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/understudy-ai/understudy/budget"
)

// A file is a header and records: their length, a checksum, and what they hold. It is made full of
// zeros, so that writing into it changes no metadata and one flush is enough; a length of zero is
// the end.
const (
	magic      = "USJRNL1\n"
	headerSize = len(magic) + 8
	frameSize  = 8
	maxRecord  = 64 << 10
)

// What a record holds, by its first byte.
const (
	holdsLine  = 1
	holdsEntry = 2
)

func appendHeader(b []byte, number int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, magic...), uint64(number)) //nolint:gosec // its bits
}

// appender is what a record can hold.
type appender interface{ Append(b []byte) []byte }

// appendRecord frames what is appended.
func appendRecord(b []byte, holds byte, what appender) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, holds)
	b = what.Append(b)
	body := b[start+frameSize:]
	binary.BigEndian.PutUint32(b[start:], uint32(len(body))) //nolint:gosec // bounded by maxRecord
	binary.BigEndian.PutUint32(b[start+4:], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// errTorn is a record that was not written to its end: what follows was never promised to anybody.
var errTorn = errors.New("the record is torn")

// reader reads a file's records. It may be read further when more has been written.
type reader struct {
	file   *os.File
	number int64
	at     int64 // behind the last record read
	buf    []byte
	from   int64 // where in the file buf begins
}

func openReader(path string, number int64) (*reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	r := &reader{file: f, number: number, at: int64(headerSize)}
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(f, head); err != nil || string(head) != string(appendHeader(nil, number)) {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("%s: is no journal of this version: %w", path, errTorn)
	}
	return r, nil
}

func (r *reader) close() { _ = r.file.Close() } // nothing was written

func (r *reader) mark() budget.Mark { return budget.Mark{File: r.number, Offset: r.at} }

// next returns what the next record holds, which is good until the call after; io.EOF when there
// is none in front of limit.
func (r *reader) next(limit int64) (holds byte, body []byte, err error) {
	frame, err := r.bytes(r.at, frameSize, limit)
	if err != nil {
		return 0, nil, err
	}
	size, sum := binary.BigEndian.Uint32(frame), binary.BigEndian.Uint32(frame[4:])
	if size == 0 {
		return 0, nil, io.EOF
	}
	if size > maxRecord {
		return 0, nil, errTorn
	}
	if body, err = r.bytes(r.at+frameSize, int(size), limit); err != nil {
		return 0, nil, errTorn
	}
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return 0, nil, errTorn
	}
	r.at += frameSize + int64(size)
	return body[0], body[1:], nil
}

// readSize is how much is read at a time.
const readSize = 256 << 10

// bytes are n bytes of the file at an offset, read ahead of as far as limit allows.
func (r *reader) bytes(at int64, n int, limit int64) ([]byte, error) {
	if at+int64(n) > limit {
		return nil, io.EOF
	}
	if at < r.from || at+int64(n) > r.from+int64(len(r.buf)) {
		if r.buf == nil {
			r.buf = make([]byte, 0, readSize)
		}
		got, err := r.file.ReadAt(r.buf[:min(readSize, limit-at)], at)
		r.from, r.buf = at, r.buf[:got]
		if got < n {
			r.buf = r.buf[:0]
			if err == nil || errors.Is(err, io.EOF) {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("read the journal: %w", err)
		}
	}
	b := r.buf[at-r.from:]
	return b[:n], nil
}
