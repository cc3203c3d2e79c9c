package frames

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// Message is one message of AWS's event stream, as services that stream JSON use it:
// https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
type Message struct {
	Event     string // the header :event-type, of a message that is an event
	Exception string // the header :exception-type, of one that is an exception
	Payload   []byte // JSON
}

// AppendMessage adds m, with its checksums, to dst.
func AppendMessage(dst []byte, m Message) []byte {
	kind, header, name := "event", eventType, m.Event
	if m.Exception != "" {
		kind, header, name = "exception", exceptionType, m.Exception
	}
	var b bytes.Buffer
	msg := eventstream.Message{Payload: m.Payload}
	msg.Headers.Set(header, eventstream.StringValue(name))
	msg.Headers.Set(":content-type", eventstream.StringValue("application/json"))
	msg.Headers.Set(":message-type", eventstream.StringValue(kind))
	if err := eventstream.NewEncoder().Encode(&b, msg); err != nil {
		panic("BUG: frames: " + err.Error()) // headers are short texts, and memory takes every write
	}
	return append(dst, b.Bytes()...)
}

const (
	eventType     = ":event-type"
	exceptionType = ":exception-type"
	prelude       = 8 // bytes that give a message's length and its headers'
)

// messages is a Reader of AWS's event stream. An exception's name is the frame's.
type messages struct {
	r       *bufio.Reader
	decoder *eventstream.Decoder
	chunks  bool
	raw     []byte
	data    []byte
}

func newMessages(r io.Reader, chunks bool) *messages {
	return &messages{r: bufio.NewReaderSize(r, readBuffer), decoder: eventstream.NewDecoder(), chunks: chunks}
}

func (m *messages) Next() (Frame, error) {
	if err := m.read(); err != nil {
		return Frame{}, err
	}
	msg, err := m.decoder.Decode(bytes.NewReader(m.raw), m.data[:0])
	if err != nil {
		return Frame{}, fmt.Errorf("%w: %v", ErrCorrupt, err) //nolint:errorlint // the library's errors mean nothing further
	}
	m.data = msg.Payload
	f := Frame{Name: header(msg, eventType), Data: msg.Payload, Raw: m.raw, HasData: true}
	switch header(msg, ":message-type") {
	case "exception":
		f.Name, f.Exception = header(msg, exceptionType), true
	case "error": // an error that the service has no model of
		f.Name, f.Exception = header(msg, ":error-code"), true
		f.Data, _ = json.Marshal(map[string]string{"message": header(msg, ":error-message")}) // texts can be written
	default:
		if m.chunks && f.Name == chunkEvent {
			return m.unwrap(f)
		}
	}
	return f, nil
}

// read puts the bytes of the next message into raw, no more memory than has arrived.
func (m *messages) read() error {
	m.raw = m.raw[:0]
	head, err := m.r.Peek(prelude)
	if err != nil {
		if len(head) == 0 {
			return err
		}
		return cut(err)
	}
	size := int64(binary.BigEndian.Uint32(head))
	if size > MaxFrame {
		return ErrTooLong
	}
	b := bytes.NewBuffer(m.raw)
	if _, err := io.CopyN(b, m.r, size); err != nil {
		return cut(err)
	}
	m.raw = b.Bytes()
	return nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return &PartialError{Clean: true, Err: io.ErrUnexpectedEOF}
	}
	return &PartialError{Err: err}
}

func (m *messages) Buffered() bool {
	if m.r.Buffered() < prelude {
		return false
	}
	head, _ := m.r.Peek(prelude) // it is buffered
	return int64(m.r.Buffered()) >= int64(binary.BigEndian.Uint32(head))
}

func header(msg eventstream.Message, name string) string {
	if v, ok := msg.Headers.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}

// chunkEvent is the event that holds another dialect's event.
const chunkEvent = "chunk"

// chunk is its payload: bedrock-runtime, shape PayloadPart.
type chunk struct {
	Bytes []byte `json:"bytes"`
}

// unwrap takes the event out of its chunk.
func (m *messages) unwrap(f Frame) (Frame, error) {
	var c chunk
	if err := json.Unmarshal(f.Data, &c); err != nil {
		return Frame{}, fmt.Errorf("%w: a chunk without bytes", ErrCorrupt)
	}
	f.Name, f.Data = "", c.Bytes
	return f, nil
}

func appendChunk(dst, data []byte) []byte {
	payload := append(make([]byte, 0, len(data)*2), `{"bytes":"`...)
	payload = base64.StdEncoding.AppendEncode(payload, data)
	return AppendMessage(dst, Message{Event: chunkEvent, Payload: append(payload, `"}`...)})
}
