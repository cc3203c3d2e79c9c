package openairesponses

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// seed adds the golden files of a name.
func seed(f *testing.F, name string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*", name))
	if err != nil || len(files) == 0 {
		f.Fatalf("got no golden files %s: %v", name, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// asLLM fails unless err is an *llm.Error that can be shown.
func asLLM(t *testing.T, err error) {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) || e.Message == "" {
		t.Fatalf("got %v, want an *llm.Error with a message", err)
	}
	_ = e.Code.Info()
}

func FuzzDecodeRequest(f *testing.F) {
	seed(f, "request.json")
	for _, more := range []string{
		`"input":[{"type":"custom_tool_call","call_id":"c","name":"run","input":"x"},{"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_text","text":"y"}]}],"tools":[{"type":"custom","name":"run"}]`,
		`"input":[{"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"understudy.x.signed.y"},{"type":"item_reference","id":"r"}]`,
		`"input":[{"type":"shell_call_output","output":[{"stdout":"a"}]},{"role":"user","content":[{"type":"input_file","file_data":"YQ==","filename":"f"}]}],"text":{"format":{"type":"json_object"}}`,
	} {
		f.Add([]byte(`{"model":"m",` + more + `}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) != nil {
			return
		}
		r, err := clientSide{}.DecodeRequest(body)
		if err != nil {
			asLLM(t, err)
			return
		}
		enc, err := providerSide{}.EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			asLLM(t, err)
			return
		}
		if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
			t.Fatalf("encoded request: %v\n%s", err, enc.Body)
		}
		if _, err := (clientSide{}).DecodeRequest(enc.Body); err != nil {
			t.Fatalf("decode the encoded request: %v\n%s", err, enc.Body)
		}
		if _, _, err := (relay{}).Strip(body); err != nil {
			t.Fatalf("strip: %v", err)
		}
		if _, err := (relay{}).Peek(body); err != nil {
			t.Fatalf("peek: %v", err)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	seed(f, "response.json")
	f.Add([]byte(`{"error":{"message":"x","code":429}}`))
	f.Add([]byte(`{"status":"incomplete","incomplete_details":{"reason":"x"},"output":[{"type":"custom_tool_call","name":"n","input":"i"},{"type":"shell_call"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var tapped tap
		_, tapErr := tapped.Body(body)
		r, err := providerSide{}.DecodeResponse(body)
		var e *llm.Error
		// An answer to be fetched later, or one for this dialect's own clients, can be relayed.
		onlyRelayed := errors.As(err, &e) && (e.Code == llm.CodeTruncated || e.Code == llm.CodeUnsupported)
		if (err == nil) != (tapErr == nil) && !onlyRelayed {
			t.Fatalf("decoded with %v, tapped with %v", err, tapErr)
		}
		if err != nil {
			asLLM(t, err)
			asLLM(t, providerSide{}.DecodeError(500, body))
			return
		}
		dialecttest.Reencoded(t, New(), r)
	})
}

func FuzzStreamReader(f *testing.F) {
	seed(f, "stream.txt")
	f.Add([]byte("data: " + created + "\n\ndata: " + hello + "\n\ndata: " + done + "\n\n"))
	f.Add([]byte("data: " + created + "\n\ndata: " + hello + "\n\ndata: " + strings.Replace(hello, `"output_index":0`, `"output_index":1`, 1) + "\n\ndata: " + hello + "\n\ndata: " + done + "\n\n"))
	f.Add([]byte("event: error\ndata: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		list := dialecttest.Frames(t, stream)
		read, closed, err := dialecttest.ReadStream(providerSide{}.NewStreamReader(), list)
		events := slices.Concat(read, closed)
		if err != nil {
			asLLM(t, err)
			if n := len(events); n > 0 && events[n-1].Kind == llm.EventEnd {
				t.Fatal("got an End and an error")
			}
			return
		}
		if err := dialecttest.CheckEvents(events); err != nil {
			t.Fatal(err)
		}
		dialecttest.Rewritten(t, New(), events)
	})
}

func FuzzTap(f *testing.F) {
	seed(f, "stream.txt")
	const ended = `{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello"}}`
	for _, late := range []string{
		`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":{}}`,
		`{"type":"response.function_call_arguments.delta","output_index":0,"delta":[]}`,
		`{"type":"response.output_text.done","output_index":0,"content_index":0,"text":7}`,
	} {
		f.Add([]byte("data: " + created + "\n\ndata: " + hello + "\n\ndata: " + ended + "\n\ndata: " + late + "\n\n"))
	}
	f.Add([]byte("data: " + created + "\n\ndata: " + `{"type":"response.completed","response":{"status":"completed","output":[[]]}}` + "\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var tapped tap
		reader := providerSide{}.NewStreamReader()
		for i, frame := range dialecttest.Frames(t, stream) {
			_, err := reader.Read(nil, frame)
			_, tapErr := tapped.Frame(frame)
			if tapErr != nil {
				asLLM(t, tapErr)
			}
			if err == nil && tapErr != nil {
				t.Fatalf("frame %d: read, and tapped with %v", i, tapErr)
			}
			if err != nil || tapErr != nil {
				return
			}
		}
	})
}
