package frames

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Message is one message of AWS's event stream, as services that stream JSON use it:
// https://smithy.io/2.0/aws/amazon-eventstream.html
type Message struct {
	Event     string // the header :event-type, of a message that is an event
	Exception string // the header :exception-type, of one that is an exception
	Payload   []byte // JSON
}

// The layout of a message: its length and that of its headers, a checksum of both, the headers, the payload, and a
// checksum of everything before it. Integers are big-endian, checksums CRC-32 as zlib's.
const (
	preludeSize = 12
	sumSize     = 4
	// maxHeaders is how many bytes the headers may have; it is the protocol's own limit.
	maxHeaders = 128 << 10
)

// The headers that a message has here, which are all strings: a byte with the length of the name, the name, the type,
// two bytes with the length of the text, the text.
const (
	eventType     = ":event-type"
	exceptionType = ":exception-type"
	messageType   = ":message-type"
	typeString    = 7
	afterName     = "\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00"
)

// AppendMessage adds m, with its checksums, to dst.
func AppendMessage(dst []byte, m Message) []byte {
	dst, start := beginMessage(dst, &m)
	return endMessage(append(dst, m.Payload...), start)
}

// beginMessage adds a message up to its payload, with room for what is known only at its end.
func beginMessage(dst []byte, m *Message) (longer []byte, start int) {
	kind, header, name := "\x05event", eventType, m.Event
	if m.Exception != "" {
		kind, header, name = "\x09exception", exceptionType, m.Exception
	}
	start = len(dst)
	var prelude [preludeSize]byte
	dst = append(dst, prelude[:]...)
	dst = append(dst, byte(len(header)))
	dst = append(dst, header...)
	dst = append(dst, typeString)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(name))) //nolint:gosec // names are the program's own, and short
	dst = append(dst, name...)
	dst = append(dst, afterName...)
	dst = append(dst, kind...)
	binary.BigEndian.PutUint32(dst[start+4:], uint32(len(dst)-start-preludeSize)) //nolint:gosec // as above
	return dst, start
}

// endMessage adds what ends a message, and says its length where it begins.
func endMessage(dst []byte, start int) []byte {
	m := dst[start:]
	binary.BigEndian.PutUint32(m, uint32(len(m)+sumSize)) //nolint:gosec // an event fits into memory many times over
	binary.BigEndian.PutUint32(m[8:], crc32.ChecksumIEEE(m[:8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(m))
}

// messages is a Reader of AWS's event stream. An exception's name is the frame's.
type messages struct {
	r      *bufio.Reader
	chunks bool
	long   []byte            // a message longer than the reader's buffer
	inner  []byte            // an event out of its chunk
	names  map[string]string // of events, which are few
}

func newMessages(r io.Reader, chunks bool) *messages {
	return &messages{r: bufio.NewReaderSize(r, readBuffer), chunks: chunks}
}

// Next returns the next message; bytes that are none, or were changed on their way, are ErrCorrupt.
func (m *messages) Next() (Frame, error) {
	raw, headers, err := m.read()
	if err != nil {
		return Frame{}, err
	}
	end := preludeSize + headers
	f := Frame{Data: raw[end : len(raw)-sumSize], Raw: raw, HasData: true}
	var h headerSet
	if !h.read(raw[preludeSize:end]) {
		return Frame{}, fmt.Errorf("%w: headers that are none", ErrCorrupt)
	}
	switch string(h.kind) {
	case "exception":
		f.Name, f.Exception = m.name(h.exception), true
	case "error": // an error that the service has no model of
		f.Name, f.Exception = m.name(h.code), true
		f.Data, _ = json.Marshal(map[string]string{"message": string(h.message)}) // texts can be written
	default:
		f.Name = m.name(h.event)
		if m.chunks && f.Name == chunkEvent {
			return m.unwrap(f)
		}
	}
	return f, nil
}

// read returns the next message, whose checksums are right. It takes no more memory than has arrived, and believes no
// length before the checksum over it.
func (m *messages) read() (raw []byte, headers int, err error) {
	head, err := m.r.Peek(preludeSize)
	if err != nil {
		if len(head) == 0 {
			return nil, 0, err //nolint:wrapcheck // io.EOF must stay itself
		}
		return nil, 0, cut(err)
	}
	if crc32.ChecksumIEEE(head[:8]) != binary.BigEndian.Uint32(head[8:]) {
		return nil, 0, fmt.Errorf("%w: the checksum of a message's lengths is wrong", ErrCorrupt)
	}
	size, headersSize := int64(binary.BigEndian.Uint32(head)), int64(binary.BigEndian.Uint32(head[4:]))
	switch {
	case size > MaxFrame:
		return nil, 0, ErrTooLong
	case headersSize > maxHeaders || size < preludeSize+headersSize+sumSize:
		return nil, 0, fmt.Errorf("%w: a message's lengths contradict each other", ErrCorrupt)
	}
	if raw, err = m.take(int(size)); err != nil {
		return nil, 0, cut(err)
	}
	body := raw[:len(raw)-sumSize]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(raw[len(body):]) {
		return nil, 0, fmt.Errorf("%w: the checksum of a message is wrong", ErrCorrupt)
	}
	return raw, int(headersSize), nil
}

// take returns the next n bytes: those of the reader's buffer, if they fit into it.
func (m *messages) take(n int) ([]byte, error) {
	if n <= readBuffer {
		raw, err := m.r.Peek(n)
		if err == nil {
			_, err = m.r.Discard(n) // they are buffered, and stay until the next read
		}
		return raw, err //nolint:wrapcheck // the caller wraps
	}
	m.long = m.long[:0]
	for len(m.long) < n {
		have := len(m.long)
		next := min(n-have, max(have, readBuffer))
		m.long = slices.Grow(m.long, next)[:have+next]
		if got, err := io.ReadFull(m.r, m.long[have:]); err != nil {
			m.long = m.long[:have+got]
			return nil, err //nolint:wrapcheck // the caller wraps
		}
	}
	return m.long, nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return &PartialError{Clean: true, Err: io.ErrUnexpectedEOF}
	}
	return &PartialError{Err: err}
}

// maxNames bounds the names that a reader remembers.
const maxNames = 32

// name is b as a string, without making a new one for every event.
func (m *messages) name(b []byte) string {
	if s, known := m.names[string(b)]; known {
		return s
	}
	s := string(b)
	if m.names == nil {
		m.names = make(map[string]string, 8)
	}
	if len(m.names) < maxNames {
		m.names[s] = s
	}
	return s
}

// Buffered reports whether another message is at hand without waiting.
func (m *messages) Buffered() bool {
	if m.r.Buffered() < preludeSize {
		return false
	}
	head, _ := m.r.Peek(preludeSize) // it is buffered
	return int64(m.r.Buffered()) >= int64(binary.BigEndian.Uint32(head))
}

// headerSet are the headers that say what a message is.
type headerSet struct{ kind, event, exception, code, message []byte }

// read reads all headers and keeps those that are strings with a name that it knows. It is false for bytes that are
// no headers.
func (h *headerSet) read(b []byte) bool {
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < 1+n+1 {
			return false
		}
		name, kind := b[1:1+n], b[1+n]
		b = b[1+n+1:]
		size, ok := valueSize(kind, b)
		if !ok || len(b) < size {
			return false
		}
		if kind == typeString {
			h.keep(name, b[2:size])
		}
		b = b[size:]
	}
	return true
}

// valueSize is how many bytes the value of a header has that stands at the beginning of b.
func valueSize(kind byte, b []byte) (n int, ok bool) {
	switch kind {
	case 0, 1: // true and false
		return 0, true
	case 2, 3, 4, 5: // integers of 1, 2, 4 and 8 bytes
		return 1 << (kind - 2), true
	case 6, typeString: // bytes, and text
		if len(b) < 2 {
			return 0, false
		}
		return 2 + int(binary.BigEndian.Uint16(b)), true
	case 8: // a time
		return 8, true
	case 9: // a UUID
		return 16, true
	}
	return 0, false
}

func (h *headerSet) keep(name, text []byte) {
	switch string(name) {
	case messageType:
		h.kind = text
	case eventType:
		h.event = text
	case exceptionType:
		h.exception = text
	case ":error-code":
		h.code = text
	case ":error-message":
		h.message = text
	}
}

// chunkEvent is the event that holds another dialect's event, as base64 in the member bytes: bedrock-runtime, shape
// PayloadPart.
const chunkEvent = "chunk"

// chunkStart is how the payload of a chunk begins, mostly.
const chunkStart = `{"bytes":"`

// unwrap takes the event out of its chunk.
func (m *messages) unwrap(f Frame) (Frame, error) {
	var err error
	if encoded, ok := plainChunk(f.Data); ok {
		m.inner, err = base64.StdEncoding.AppendDecode(m.inner[:0], encoded)
	} else {
		var c struct {
			Bytes *[]byte `json:"bytes"`
		}
		if err = json.Unmarshal(f.Data, &c); err == nil && c.Bytes == nil {
			err = errors.New("no bytes")
		}
		if err == nil {
			m.inner = *c.Bytes
		}
	}
	if err != nil {
		return Frame{}, fmt.Errorf("%w: a chunk: %v", ErrCorrupt, err) //nolint:errorlint // it means nothing further
	}
	f.Name, f.Data = "", m.inner
	return f, nil
}

// plainChunk finds the base64 in a payload that begins with it, as the service writes it.
func plainChunk(payload []byte) (encoded []byte, ok bool) {
	rest, ok := bytes.CutPrefix(payload, []byte(chunkStart))
	if !ok {
		return nil, false
	}
	encoded, rest, ok = bytes.Cut(rest, []byte(`"`))
	return encoded, ok && bytes.IndexByte(encoded, '\\') < 0 && bytes.HasSuffix(rest, []byte("}"))
}

func appendChunk(dst, data []byte) []byte {
	dst, start := beginMessage(dst, &Message{Event: chunkEvent})
	dst = append(dst, chunkStart...)
	dst = base64.StdEncoding.AppendEncode(dst, data)
	return endMessage(append(dst, `"}`...), start)
}
