package provider

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// FuzzReadDump imports whatever a dump says: what is good facts comes back from the file
// that is written as it went in, and does so twice to the byte.
func FuzzReadDump(f *testing.F) {
	f.Add([]byte(dump))
	f.Add([]byte(dumpByVendor))
	f.Add([]byte(`[{"vendor":"acme-ai","id":"a: \"b\" # ~","limit":{"context":9},"modalities":{"input":["text"],"output":["text"]},"cost":{"input":1e-7,"output":1e300}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadDump(bytes.NewReader(data))
		if err != nil {
			return
		}
		models := d.Models("acme", List{Vendor: "acme-ai"})
		text, err := Renew([]byte("source: fuzz\ndate: 2026-01-01\n"), models, "2026-01-02")
		if err != nil {
			t.Fatalf("got %v, want a file", err)
		}
		list, err := ParseList(text, "models.yaml")
		if err != nil {
			return // facts that cannot be: they are not written
		}
		if len(models) > 0 && !reflect.DeepEqual(list.Models, models) {
			t.Errorf("got %+v, want %+v, from\n%s", list.Models, models, text)
		}
		_, written, _ := strings.Cut(string(text), "\nmodels:\n")
		if got := readItems(written); len(models) > 0 && !reflect.DeepEqual(got, models) {
			t.Errorf("got %+v, want %+v, read from\n%s", got, models, text)
		}
		again, err := Renew(text, list.Models, "2026-01-02")
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("got %v and\n%s\nwant what was there:\n%s", err, again, text)
		}
	})
}
