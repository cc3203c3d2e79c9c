package dialecttest

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// ReplayEmbeddings holds a dialect against the recorded exchanges of an API whose paths match path, a regular expression:
// what a vendor took can be read and written again, and every vector that it answered with survives. At least so many
// answers are wanted.
func ReplayEmbeddings(t *testing.T, d *dialect.Dialect, api, path string, least int) {
	t.Helper()
	answers, failures := eachRecorded(t, api, path, func(id string, request, response []byte) { replay(t, d, id, request, response) },
		func(status int, response []byte) { _ = asError(t, d.Provider.DecodeError(status, response)) })
	t.Logf("%d answers, %d errors", answers, failures)
	if answers < least {
		t.Errorf("got %d answers want at least %d", answers, least)
	}
}

// ReplayCounts holds a dialect of token counts against recorded exchanges likewise.
func ReplayCounts(t *testing.T, d *dialect.Dialect, api, path string, least int) {
	t.Helper()
	answers, _ := eachRecorded(t, api, path, func(id string, request, response []byte) {
		asked, err := d.Client.DecodeRequest(request)
		if err != nil {
			t.Errorf("%s: the vendor took a request that gives %v", id, err)
			return
		}
		enc, err := d.Provider.EncodeRequest(asked, dialect.Target{Model: "m"})
		if err != nil || len(enc.Losses) > 0 {
			t.Errorf("%s: encode: %v, losses %v", id, err, enc.Losses)
		}
		if _, err := d.Client.DecodeRequest(enc.Body); err != nil {
			t.Errorf("%s: decode the encoded request: %v\n%s", id, err, enc.Body)
		}
		r, err := d.Provider.DecodeResponse(response)
		if err != nil || !r.Usage.Known {
			t.Fatalf("%s: answer: %+v, %v", id, r, err)
		}
		body, _, err := d.Client.EncodeResponse(r)
		if err != nil || !bytes.Contains(response, bytes.Trim(body, "{}")) && !jsontext.Equal(body, response) {
			t.Errorf("%s: got %s, %v want the count of %s", id, body, err, response)
		}
	}, func(int, []byte) {})
	t.Logf("%d counts", answers)
	if answers < least {
		t.Errorf("got %d counts want at least %d", answers, least)
	}
}

// eachRecorded calls one for each recorded answer of an API whose path matches, and failed for each error, and counts them.
func eachRecorded(t *testing.T, api, path string, one func(id string, request, response []byte), failed func(int, []byte)) (answers, failures int) {
	t.Helper()
	paths := regexp.MustCompile(path)
	Recorded(t, 1, func(x *Exchange) {
		switch {
		case !paths.MatchString(x.Path):
		case x.Status >= 400:
			failures++
			failed(x.Status, x.ResponseBody)
		default:
			answers++
			one(x.ID, x.RequestBody, x.ResponseBody)
		}
	}, api)
	return answers, failures
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
