package journal

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"
)

// TestSegments writes pieces of all sizes, past the kernel's cache where that can be done and through it, and reads each time what there is.
func TestSegments(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		s, err := create(t.TempDir(), 7, firstSize)
		if err != nil {
			t.Fatal(err)
		}
		if path := s.file.Name(); cached && s.window != nil {
			if err := s.file.Close(); err != nil {
				t.Fatal(err)
			}
			if s.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
				t.Fatal(err)
			}
			s.window = nil
		}
		want := appendHeader(nil, 7)
		for _, size := range []int{1, 100, blockSize - headerSize - 101, 1, blockSize - 1, blockSize, windowSize - 1, windowSize + 1, 3*windowSize + 5, 0, 2 * windowSize, firstSize} {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(1 + rand.IntN(255))
			}
			if err := s.write(b, int64(len(want))); err != nil {
				t.Fatal(err)
			}
			want = append(want, b...)
			got, err := os.ReadFile(s.file.Name())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(got, want) || len(bytes.Trim(got[len(want):], "\x00")) > 0 {
				t.Fatalf("cached %v, behind %d bytes more: the file does not have what was written, and zeros", cached, size)
			}
		}
		if err := s.file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
