package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/internal/frames"
)

// format is a wire format as the simulated vendor and the load speak it: requests
// with a prompt of 1,000 bytes, and an answer of 600 bytes, whole or in 100 chunks.
type format struct {
	name       string
	path       string // of the address; "{model}" stands for the model's name
	streamPath string // where a stream is asked for at another path
	header     string // a request header that every client of the format sends
	// provider is the vendor in understudy's config: what "{vendor}" is at and "{key}" opens.
	provider string
	// body is a request for "{model}" with "{prompt}"; "{stream}" is true or false, "{options}" is there for a
	// stream only.
	body, options string
	framing       frames.Kind // of streams; empty for server-sent events
	answer        []byte
	chunks        [][]byte // the stream as the vendor writes it, one event after the other
	stream        []byte   // all of them
	end           []byte   // how a whole stream ends
	last          []byte   // what only a whole stream has in it, where the end is no sign
	copies        int      // of the text in a stream, if they are more than one
	finish        string   // the reason for a natural end
	// read takes an answer apart to see whether all of it came.
	read func(body []byte) (reply, error)
	// readStream does the same with the events of a stream.
	readStream func(events []event) (reply, error)
}

// formats are all there are. Open streams, latency and failing over are measured with the first two.
func formats() []*format {
	return []*format{
		openAIChat(), anthropicMessages(), openAIResponses(), geminiGenerate(), bedrockConverse(), cohereChat(), ollamaChat(),
	}
}

// reply is what an answer says, whatever its format.
type reply struct {
	text    string
	finish  string
	in, out int // tokens
}

// words are what the answer consists of: each with a space before it is six bytes
// of text, and none occurs in anything else. One needs escaping in JSON and one is
// not ASCII, as in real text.
var words = []string{"stage", "actor", `"cue"`, "props", "scene", "café", "drama", "usher", "lines", "wings"}

const (
	chunkCount  = 100
	promptSize  = 1000
	tokensIn    = 250
	tokensOut   = chunkCount
	vendorModel = "bench-1"
	heldModel   = "bench-held"
	// failingModel is refused at once.
	failingModel = "bench-failing"
	created      = 1767225600
)

func piece(i int) string { return " " + words[i%len(words)] }

func answerText() string {
	var b strings.Builder
	for i := range chunkCount {
		b.WriteString(piece(i))
	}
	return b.String()
}

// quote writes text as JSON the way vendors do: UTF-8 as it is.
func quote(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic("BUG: " + err.Error())
	}
	return strings.TrimSpace(b.String())
}

// message is a request without its headers.
type message struct {
	path string
	body []byte
}

// request is a client's request for a model.
func (f *format) request(model string, stream bool) message {
	path, options := f.path, ""
	if stream {
		path, options = cmp.Or(f.streamPath, f.path), f.options
	}
	prompt := strings.Repeat("Who goes on when the lead cannot? ", promptSize/34+1)[:promptSize]
	body := strings.NewReplacer("{model}", quote(model), "{prompt}", quote(prompt), "{stream}", strconv.FormatBool(stream),
		"{options}", options).Replace(f.body)
	return message{strings.Replace(path, modelHole, model, 1), []byte(body)}
}

const modelHole = "{model}"

// serves reports whether an address is one of the format's, and whether it is the one for streams alone.
func (f *format) serves(address string) (stream, ok bool) {
	fits := func(path string) bool {
		before, after, hasHole := strings.Cut(path, modelHole)
		return hasHole && strings.HasPrefix(address, before) && strings.HasSuffix(address, after) || address == path
	}
	return fits(f.streamPath), fits(f.streamPath) || fits(f.path)
}

// event is one event of a stream, as strictly as this bench needs it.
type event struct {
	name string
	data []byte
}

// events splits a stream; comments are left out.
func (f *format) events(body []byte) ([]event, error) {
	switch f.framing {
	case frames.EventStream:
		return messages(body)
	case frames.NDJSON:
		return lines(body), nil
	default:
		return sentEvents(body), nil
	}
}

func sentEvents(body []byte) []event {
	var all []event
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	for block := range bytes.SplitSeq(body, []byte("\n\n")) {
		var e event
		for line := range bytes.SplitSeq(block, []byte("\n")) {
			if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
				e.name = string(name)
			}
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				e.data = data
			}
		}
		if e.data != nil {
			all = append(all, e)
		}
	}
	return all
}

// fold reads the data of each event as a T and lets add put it into the reply.
func fold[T any](events []event, add func(*reply, event, *T) error) (reply, error) {
	var r reply
	for _, e := range events {
		var data T
		if err := json.Unmarshal(e.data, &data); err != nil {
			return r, fmt.Errorf("read %q: %w", e.data, err)
		}
		if err := add(&r, e, &data); err != nil {
			return r, err
		}
	}
	return r, nil
}

// verify takes an answer apart and compares it with what the vendor said.
func (f *format) verify(body []byte, stream bool) error {
	read := f.read
	if stream {
		if err := f.isWhole(body); err != nil {
			return err
		}
		read = func(body []byte) (reply, error) {
			events, err := f.events(body)
			if err != nil {
				return reply{}, err
			}
			return f.readStream(events)
		}
	}
	got, err := read(body)
	if err != nil {
		return err
	}
	if want := (reply{text: answerText(), finish: f.finish, in: tokensIn, out: tokensOut}); got != want {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	return nil
}

// isWhole looks at how a stream ends.
func (f *format) isWhole(stream []byte) error {
	if !bytes.HasSuffix(stream, f.end) {
		return fmt.Errorf("got a stream that ends in %q, want %q", tail(stream), f.end)
	}
	if !bytes.Contains(stream, f.last) {
		return fmt.Errorf("got a stream that ends in %q, want %q before that", tail(stream), f.last)
	}
	return nil
}

func tail(b []byte) []byte { return b[max(0, len(b)-80):] }

// marks are the words as they stand in JSON, each with the space before it, which no id that was made by chance has,
// and without what may be written in several ways.
var marks = func() (all []string) {
	for _, word := range words {
		all = append(all, strings.TrimSuffix(strings.Trim(quote(" "+word), `"`), "é"))
	}
	return all
}()
