package frames

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// Messages made by another program, with the checksums of zlib.
const (
	madeEvent     = "AAAAdgAAAFKW1freCzpldmVudC10eXBlBwAMbWVzc2FnZVN0YXJ0DTpjb250ZW50LXR5cGUHABBhcHBsaWNhdGlvbi9qc29uDTptZXNzYWdlLXR5cGUHAAVldmVudHsicm9sZSI6ImFzc2lzdGFudCJ9b6jFmQ=="
	madeException = "AAAAiAAAAGHeAXX0DzpleGNlcHRpb24tdHlwZQcAE3Rocm90dGxpbmdFeGNlcHRpb24NOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1lc3NhZ2UtdHlwZQcACWV4Y2VwdGlvbnsibWVzc2FnZSI6InNsb3cgZG93biJ9gy7gcg=="
	madeError     = "AAAAXgAAAE5zZcJUDTptZXNzYWdlLXR5cGUHAAVlcnJvcgs6ZXJyb3ItY29kZQcAD0ludGVybmFsRmFpbHVyZQ46ZXJyb3ItbWVzc2FnZQcACHNheSAibm8iASdAdg=="
	madeChunk     = "AAAAhQAAAEv9KniTCzpldmVudC10eXBlBwAFY2h1bmsNOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJieXRlcyI6ImV5SjBlWEJsSWpvaWNHbHVaeUo5IiwicCI6ImFiYyJ9cwM2oQ=="
)

func made(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// copied is a frame whose memory is its own.
func copied(f Frame) Frame {
	f.Data, f.Raw = bytes.Clone(f.Data), bytes.Clone(f.Raw)
	return f
}

// readAll reads a stream to its end.
func readAll(kind Kind, r io.Reader) (list []Frame, err error) {
	rd := NewReader(kind, r)
	for {
		f, err := rd.Next()
		if err != nil {
			return list, err
		}
		list = append(list, copied(f))
	}
}

// TestMessagesRead is also T082: a message that comes byte by byte is the same.
func TestMessagesRead(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		kind       Kind
		want       Frame
	}{
		{"event", madeEvent, EventStream, Frame{Name: "messageStart", Data: []byte(`{"role":"assistant"}`)}},
		{"exception", madeException, EventStream, Frame{Name: "throttlingException", Data: []byte(`{"message":"slow down"}`), Exception: true}},
		{"error without a model", madeError, EventStream, Frame{Name: "InternalFailure", Data: []byte(`{"message":"say \"no\""}`), Exception: true}},
		{"chunk as it is", madeChunk, EventStream, Frame{Name: "chunk", Data: []byte(`{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}`)}},
		{"chunk unwrapped", madeChunk, Chunks, Frame{Data: []byte(`{"type":"ping"}`)}},
		{"exception among chunks", madeException, Chunks, Frame{Name: "throttlingException", Data: []byte(`{"message":"slow down"}`), Exception: true}},
	} {
		raw := made(t, tc.text)
		for how, r := range map[string]io.Reader{
			"whole": bytes.NewReader(raw), "byte by byte": iotest.OneByteReader(bytes.NewReader(raw)), "twice": bytes.NewReader(bytes.Repeat(raw, 2)),
		} {
			list, err := readAll(tc.kind, r)
			if !errors.Is(err, io.EOF) || len(list) == 0 {
				t.Errorf("%s, %s: got %d frames and %v want io.EOF at the end", tc.name, how, len(list), err)
			}
			for _, f := range list {
				if f.Name != tc.want.Name || string(f.Data) != string(tc.want.Data) || f.Exception != tc.want.Exception || !f.HasData || !bytes.Equal(f.Raw, raw) {
					t.Errorf("%s, %s: got %q %s %v want %q %s %v", tc.name, how, f.Name, f.Data, f.Exception, tc.want.Name, tc.want.Data, tc.want.Exception)
				}
			}
		}
	}
}

func TestMessagesWrittenAsMade(t *testing.T) {
	for _, tc := range []struct {
		text string
		m    Message
	}{
		{madeEvent, Message{Event: "messageStart", Payload: []byte(`{"role":"assistant"}`)}},
		{madeException, Message{Exception: "throttlingException", Payload: []byte(`{"message":"slow down"}`)}},
	} {
		if got := AppendMessage([]byte("before"), tc.m); string(got) != "before"+string(made(t, tc.text)) {
			t.Errorf("%+v: got\n%q\nwant\n%q", tc.m, got, made(t, tc.text))
		}
	}
}

// TestChunksAreEvents wraps an event and takes it out again, and shows that a reader of plain messages sees a chunk.
func TestChunksAreEvents(t *testing.T) {
	w := Writer{Kind: Chunks}
	stream := w.Append(nil, "message_start", []byte(`{"type":"message_start"}`))
	list, _ := readAll(Chunks, bytes.NewReader(stream))
	if len(list) != 1 || string(list[0].Data) != `{"type":"message_start"}` || list[0].Name != "" {
		t.Errorf("got %+v want the event without its chunk", list)
	}
	list, _ = readAll(EventStream, bytes.NewReader(stream))
	if len(list) != 1 || string(list[0].Data) != `{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCJ9"}` || list[0].Name != "chunk" {
		t.Errorf("got %+v want the chunk", list)
	}
	escaped := AppendMessage(nil, Message{Event: "chunk", Payload: []byte(`{"bytes":"Pz8\/Pz8\/"}`)})
	if list, _ = readAll(Chunks, bytes.NewReader(escaped)); len(list) != 1 || string(list[0].Data) != "??????" {
		t.Errorf("got %+v want base64 with escaped slashes read", list)
	}
}

// TestMessagesCorrupt changes every byte of a message: none is read as something else. Corrupt lengths are no reason
// to wait for more.
func TestMessagesCorrupt(t *testing.T) {
	good := made(t, madeEvent)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		list, err := readAll(EventStream, io.MultiReader(bytes.NewReader(bad), iotest.ErrReader(errors.New("read on"))))
		if len(list) > 0 || !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d changed: got %d frames and %v want %v", i, len(list), err, ErrCorrupt)
		}
	}
	for _, payload := range []string{``, `{}`, `{"bytes":7}`, `{"bytes":"%%%"}`, `{"bytes":"`} {
		if list, err := readAll(Chunks, bytes.NewReader(AppendMessage(nil, Message{Event: "chunk", Payload: []byte(payload)}))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("chunk %s: got %+v, %v want %v", payload, list, err, ErrCorrupt)
		}
	}
}

// message makes one with headers as they are.
func message(headers, payload string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(preludeSize+len(headers)+len(payload)+sumSize))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestMessagesHeaders(t *testing.T) {
	all := "\x01t\x00" + "\x01f\x01" + "\x01b\x02\xcf" + "\x01s\x03\x00\x2a" + "\x01i\x04\x00\x00\xa0\x0c" + "\x01l\x05\xff\xff\xff\xff\xff\xff\xff\xff" +
		"\x03bin\x06\x00\x03\x49\x31\x21" + "\x02ts\x08\x00\x00\x00\x00\x00\x84\x5f\xed" + "\x04uuid\x09" + strings.Repeat("\x01", 16) +
		"\x0b:event-type\x07\x00\x01x"
	list, err := readAll(EventStream, bytes.NewReader(message(all, "{}")))
	if !errors.Is(err, io.EOF) || len(list) != 1 || list[0].Name != "x" || string(list[0].Data) != "{}" {
		t.Errorf("headers of all types: got %+v, %v want an event x", list, err)
	}
	for _, bad := range []string{"\x05ab", "\x01a\x0a", "\x01a\x07", "\x01a\x07\x00", "\x01a\x07\x00\x05abc", "\x01a\x05\x00", "\x00"} {
		if list, err := readAll(EventStream, bytes.NewReader(message(bad, "{}"))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("headers %q: got %+v, %v want %v", bad, list, err, ErrCorrupt)
		}
	}
	if list, err := readAll(EventStream, bytes.NewReader(message("", ""))); !errors.Is(err, io.EOF) || len(list) != 1 {
		t.Errorf("the smallest message: got %+v, %v want one frame", list, err)
	}
}

// TestMessagesCut ends a stream within a message: that is no end.
func TestMessagesCut(t *testing.T) {
	good := made(t, madeEvent)
	for i := 1; i < len(good); i++ {
		list, err := readAll(EventStream, bytes.NewReader(append(bytes.Clone(good), good[:i]...)))
		var partial *PartialError
		if len(list) != 1 || !errors.As(err, &partial) || !partial.Clean {
			t.Fatalf("cut after %d bytes: got %d frames and %v want one and a clean *PartialError", i, len(list), err)
		}
	}
	failing := errors.New("reset")
	_, err := readAll(EventStream, io.MultiReader(bytes.NewReader(good[:20]), iotest.ErrReader(failing)))
	var partial *PartialError
	if !errors.As(err, &partial) || partial.Clean || !errors.Is(err, failing) {
		t.Errorf("broken: got %v want a *PartialError with the cause", err)
	}
}

// TestMessagesTakeNoMemoryBeforeBytes promises much and sends little.
func TestMessagesTakeNoMemoryBeforeBytes(t *testing.T) {
	prelude := func(size, headers uint32) []byte {
		b := binary.BigEndian.AppendUint32(nil, size)
		b = binary.BigEndian.AppendUint32(b, headers)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list, err := readAll(EventStream, bytes.NewReader(prelude(MaxFrame, 10)))
	runtime.ReadMemStats(&after)
	var partial *PartialError
	if len(list) != 0 || !errors.As(err, &partial) {
		t.Errorf("promised: got %+v, %v want a *PartialError", list, err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
		t.Errorf("promised %d bytes: got %d allocated, want little", MaxFrame, got)
	}
	if _, err := readAll(EventStream, bytes.NewReader(prelude(MaxFrame+1, 10))); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: got %v want %v", err, ErrTooLong)
	}
	for _, lengths := range [][2]uint32{{0, 0}, {15, 0}, {16, 1}, {1000, 990}, {1 << 20, maxHeaders + 1}, {100, 1 << 31}} {
		if _, err := readAll(EventStream, bytes.NewReader(prelude(lengths[0], lengths[1]))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("lengths %v: got %v want %v", lengths, err, ErrCorrupt)
		}
	}
}

// TestMessagesLong reads messages larger than the reader's buffer, among small ones.
func TestMessagesLong(t *testing.T) {
	var stream []byte
	sizes := []int{10, readBuffer, 3, 5 * readBuffer, 100000, 1}
	for _, n := range sizes {
		stream = AppendMessage(stream, Message{Event: "e", Payload: []byte(strings.Repeat("x", n))})
	}
	list, err := readAll(EventStream, iotest.HalfReader(bytes.NewReader(stream)))
	if !errors.Is(err, io.EOF) || len(list) != len(sizes) {
		t.Fatalf("got %d frames, %v want %d", len(list), err, len(sizes))
	}
	var raw []byte
	for i, f := range list {
		if len(f.Data) != sizes[i] {
			t.Errorf("frame %d: got %d bytes want %d", i, len(f.Data), sizes[i])
		}
		raw = append(raw, f.Raw...)
	}
	if !bytes.Equal(raw, stream) {
		t.Error("got other raw bytes than the stream's")
	}
}

func TestMessagesBuffered(t *testing.T) {
	good := made(t, madeEvent)
	rd := NewReader(EventStream, bytes.NewReader(append(bytes.Repeat(good, 2), good[:30]...)))
	for i, want := range []bool{true, false} {
		if _, err := rd.Next(); err != nil {
			t.Fatal(err)
		}
		if got := rd.Buffered(); got != want {
			t.Errorf("after message %d: got buffered %v want %v", i+1, got, want)
		}
	}
}

// TestMessagesVectors reads messages that others made, where they are at hand.
func TestMessagesVectors(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "specs", "bedrock", "eventstream-vectors.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the vectors are not beside the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Vectors []struct {
			Name, Base64, Error string
			Payload             *string
			Messages            []json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for _, v := range doc.Vectors {
		list, err := readAll(EventStream, iotest.OneByteReader(bytes.NewReader(made(t, v.Base64))))
		isEnd := errors.Is(err, io.EOF)
		switch {
		case isEnd == (v.Error != ""):
			t.Errorf("%s: got %v want error %q", v.Name, err, v.Error)
		case v.Payload != nil && (len(list) != 1 || string(list[0].Data) != *v.Payload):
			t.Errorf("%s: got %+v want payload %q", v.Name, list, *v.Payload)
		case len(v.Messages) > 0 && len(list) != len(v.Messages):
			t.Errorf("%s: got %d messages want %d", v.Name, len(list), len(v.Messages))
		}
	}
	t.Logf("%d vectors", len(doc.Vectors))
}

// FuzzMessages holds that whatever is read, was sent: the raw bytes of the frames are the stream's beginning, and what
// a frame holds can be written and read again.
func FuzzMessages(f *testing.F) {
	for _, text := range []string{madeEvent, madeException, madeError, madeChunk} {
		f.Add(made(f, text), false)
		f.Add(made(f, text), true)
	}
	f.Fuzz(func(t *testing.T, stream []byte, chunks bool) {
		kind := EventStream
		if chunks {
			kind = Chunks
		}
		list, err := readAll(kind, bytes.NewReader(stream))
		if err == nil {
			t.Fatal("got no end")
		}
		var raw []byte
		for _, f := range list {
			raw = append(raw, f.Raw...)
			if len(f.Name) > 1000 {
				continue
			}
			m := Message{Event: f.Name, Payload: f.Data}
			again, err := readAll(EventStream, bytes.NewReader(AppendMessage(nil, m)))
			if !errors.Is(err, io.EOF) || len(again) != 1 || again[0].Name != f.Name || !bytes.Equal(again[0].Data, f.Data) {
				t.Errorf("written and read again: got %+v, %v want %+v", again, err, f)
			}
		}
		if !bytes.HasPrefix(stream, raw) {
			t.Error("got raw bytes that are not the stream's")
		}
	})
}

// The benchmarks are for a stream of 100 events.

func benchStream(kind Kind) []byte {
	w := Writer{Kind: kind}
	var stream []byte
	for range 100 {
		stream = w.Append(stream, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":"six by"}}`))
	}
	return stream
}

func benchRead(b *testing.B, kind Kind) {
	stream := benchStream(kind)
	b.ReportAllocs()
	for b.Loop() {
		rd := NewReader(kind, bytes.NewReader(stream))
		for {
			if _, err := rd.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkReadMessages(b *testing.B) { benchRead(b, EventStream) }

func BenchmarkReadChunks(b *testing.B) { benchRead(b, Chunks) }

func BenchmarkWriteMessages(b *testing.B) {
	w := Writer{Kind: EventStream}
	payload := []byte(`{"contentBlockIndex":0,"delta":{"text":"six by"}}`)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		for range 100 {
			out = w.Append(out, "contentBlockDelta", payload)
		}
	}
}
