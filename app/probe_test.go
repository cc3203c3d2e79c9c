package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestProbeIsBounded: of a vendor's list of models without an end little is read, and nothing is taken from it: neither
// models nor prices (S107).
func TestProbeIsBounded(t *testing.T) {
	var sent atomic.Int64
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[`)
		for range 1_000_000 {
			n, err := io.WriteString(w, strings.Repeat(`{"id":"evil","pricing":{"prompt":"0"}},`, 10))
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer vendor.Close()
	c := parse(t, "providers: {v: {use: openai, base_url: "+vendor.URL+"/v1, key: env:TEST_KEY}}", nil)
	probes, err := ProbeAll(t.Context(), Options{Config: c, Env: env})
	if err != nil || len(probes) != 1 || probes[0].Verdict != VerdictOK {
		t.Fatalf("got %+v and error %v, want the key found good", probes, err)
	}
	vendor.CloseClientConnections()
	if n := sent.Load(); n > 16<<20 {
		t.Errorf("got %d MiB taken of the list, want little more than the first", n>>20)
	}
	models, err := Models(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models {
		if strings.Contains(m.Name, "evil") {
			t.Errorf("got the model %s, want none of the vendor's list", m.Name)
		}
	}
}
