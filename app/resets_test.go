package app

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// frameOf is a frame of HTTP/2 with a payload of some bytes.
func frameOf(kind byte, stream uint32, size int) []byte {
	b := []byte{byte(size >> 16), byte(size >> 8), byte(size), kind, 0, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}
	return append(b, make([]byte, size)...)
}

func TestResetsAreCounted(t *testing.T) {
	const data, headers, reset, window = 0, 1, 3, 8
	streams := func(n int, each func(i int, stream uint32) []byte) (all []byte) {
		all = []byte(preface)
		for i := range n {
			all = append(all, each(i, uint32(2*i+1))...)
		}
		return all
	}
	open := func(stream uint32) []byte { return append(frameOf(headers, stream, 300), frameOf(data, stream, 3)...) }
	gaveUp := func(every int) func(i int, stream uint32) []byte {
		return func(i int, stream uint32) []byte {
			if i%every == 0 {
				return append(open(stream), frameOf(reset, stream, 4)...)
			}
			return append(append(open(stream), frameOf(window, stream, 4)...), frameOf(headers, stream, 1)...) // trailers
		}
	}
	for _, tc := range []struct {
		name string
		text []byte
		want bool
	}{
		{"every stream is given up", streams(mostResets+1, gaveUp(1)), true},
		{"not yet enough", streams(mostResets, gaveUp(1)), false},
		{"every third", streams(4*mostResets, gaveUp(3)), false},
		{"another protocol", streams(2*mostResets, gaveUp(1))[1:], false},
	} {
		for _, piece := range []int{1, 7, 1 << 20} {
			var all tally
			for rest := tc.text; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
				all.read(rest[:min(piece, len(rest))])
			}
			if got := all.tooMany(); got != tc.want {
				t.Errorf("%s, in pieces of %d: got too many resets: %v (%d of %d), want %v", tc.name, piece, got, all.resets, all.opened, tc.want)
			}
		}
	}
}

// TestLateResets: who gives up what has run for a while is no attacker.
func TestLateResets(t *testing.T) {
	var all tally
	all.read([]byte(preface))
	for i := range uint32(2 * mostResets) {
		all.read(frameOf(1, 2*i+1, 10))
	}
	all.mark = all.mark.Add(-resetTime - time.Millisecond) // as if they had been opened then
	for i := range uint32(2 * mostResets) {
		all.read(frameOf(3, 2*i+1, 4))
	}
	if all.tooMany() || all.resets != 0 {
		t.Errorf("got %d resets of %d, want none counted", all.resets, all.opened)
	}
}

// TestResetsCloseTheConnection: what is read ends with the connection.
func TestResetsCloseTheConnection(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	text := []byte(preface)
	for i := range uint32(mostResets + 1) {
		text = append(append(text, frameOf(1, 2*i+1, 20)...), frameOf(3, 2*i+1, 4)...)
	}
	written := make(chan error, 1)
	go func() {
		if _, err := theirs.Write(text); err != nil {
			written <- err
			return
		}
		_, err := theirs.Write([]byte("more"))
		written <- err
	}()
	if _, err := io.Copy(io.Discard, countResets(ours)); !errors.Is(err, errResets) {
		t.Errorf("got %v, want %v", err, errResets)
	}
	if err := <-written; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v for what is sent after it, want the connection closed", err)
	}
}
