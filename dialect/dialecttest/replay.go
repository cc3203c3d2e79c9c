package dialecttest

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// ReplayEmbeddings holds a dialect against the recorded exchanges in a file whose paths match path, a regular expression: what a vendor
// took can be read and written again, and every vector that it answered with survives. At least so many answers are
// wanted. Without the file, the test is skipped.
func ReplayEmbeddings(t *testing.T, d *dialect.Dialect, file, path string, least int) {
	t.Helper()
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no recorded exchanges at %s", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(path)
	answers, failures := 0, 0
	for dec := json.NewDecoder(unzipped); dec.More(); {
		var x struct {
			ID, Path     string
			Status       int
			RequestBody  json.RawMessage `json:"request_body"`
			ResponseBody json.RawMessage `json:"response_body"`
		}
		if err := dec.Decode(&x); err != nil {
			t.Fatal(err)
		}
		switch {
		case !paths.MatchString(x.Path):
		case x.Status >= 400:
			failures++
			_ = asError(t, d.Provider.DecodeError(x.Status, x.ResponseBody))
		default:
			answers++
			replay(t, d, x.ID, x.RequestBody, x.ResponseBody)
		}
	}
	t.Logf("%d answers, %d errors", answers, failures)
	if answers < least {
		t.Errorf("got %d answers want at least %d", answers, least)
	}
}

func replay(t *testing.T, d *dialect.Dialect, id string, request, response []byte) {
	t.Helper()
	asked, err := d.Client.DecodeRequest(request)
	if err != nil {
		t.Errorf("%s: the vendor took a request that gives %v", id, err)
		return
	}
	enc, err := d.Provider.EncodeRequest(asked, dialect.Target{Model: asked.Model})
	if err != nil || len(enc.Losses)+len(enc.More) > 0 {
		t.Errorf("%s: encode: %v, losses %v, %d more bodies", id, err, enc.Losses, len(enc.More))
	}
	if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
		t.Errorf("%s: encoded request: %v", id, err)
	}
	r, err := d.Provider.DecodeResponse(response)
	if err != nil {
		t.Errorf("%s: answer: %v", id, err)
		return
	}
	if got, want := len(r.VectorsOf()), len(asked.Embed.Inputs); got != want {
		t.Errorf("%s: got %d vectors want %d", id, got, want)
	}
	r.Asked = asked
	body, _, err := d.Client.EncodeResponse(r)
	if err != nil {
		t.Fatalf("%s: encode: %v", id, err)
	}
	again, err := d.Provider.DecodeResponse(body)
	if err != nil {
		t.Fatalf("%s: decode again: %v", id, err)
	}
	EqualVectors(t, id, again, r)
}
