package transport

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestEncodings is T085 towards vendors: what is compressed is read, and its header is gone.
func TestEncodings(t *testing.T) {
	const text = `{"answer":"` + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + `"}`
	whole := zip(t, text)
	broken := bytes.Clone(whole)
	broken[len(broken)-8] ^= 1 // the checksum
	corrupt := bytes.Clone(whole)
	corrupt[10] = 0xff
	for _, tc := range []struct {
		name, encoding string
		body           []byte
		want           string
		err            error
	}{
		{"none", "", []byte(text), text, nil},
		{"identity", "identity", []byte(text), text, nil},
		{"gzip", "gzip", whole, text, nil},
		{"by its old name, in capitals", "X-GZIP", whole, text, nil},
		{"two documents", "gzip", append(bytes.Clone(whole), zip(t, "more")...), text + "more", nil},
		{"empty", "gzip", nil, "", nil},
		{"truncated", "gzip", whole[:len(whole)-9], "", io.ErrUnexpectedEOF},
		{"checksum", "gzip", broken, "", ErrEncoding},
		{"corrupt", "gzip", corrupt, "", ErrEncoding},
		{"not gzip", "gzip", []byte(text), "", ErrEncoding},
		{"brotli", "br", []byte{1}, "", ErrEncoding},
		{"zstd", "zstd", []byte{1}, "", ErrEncoding},
		{"deflate", "deflate", []byte{1}, "", ErrEncoding},
		{"twice", "gzip, gzip", whole, "", ErrEncoding},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tc.encoding != "" {
					w.Header().Set("Content-Encoding", tc.encoding)
				}
				w.WriteHeader(http.StatusUnauthorized)
				w.Write(tc.body)
			})
			resp, got, err := send(t, newTransport(t, Options{}), Request{URL: at})
			if !errors.Is(err, tc.err) || err == nil && got != tc.want {
				t.Errorf("got %q, %v, want %q, %v", got, err, tc.want, tc.err)
			}
			if resp.Status != http.StatusUnauthorized || resp.Header.Get("Content-Encoding") != "" {
				t.Errorf("got status %d and headers %v, want the status, and no encoding of a body that has none", resp.Status, resp.Header)
			}
		})
	}
}

// TestGzipErrorsStay reads on after an error.
func TestGzipErrorsStay(t *testing.T) {
	g := &gunzip{source: strings.NewReader(strings.Repeat("no gzip at all ", 10000))}
	for range 2 {
		if _, err := g.Read(make([]byte, 10)); !errors.Is(err, ErrEncoding) {
			t.Errorf("got %v, want ErrEncoding each time", err)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	const limit = 1000
	exact, over := strings.Repeat("x", limit), strings.Repeat("x", limit+1)
	for _, tc := range []struct {
		name   string
		status int
		text   string
		gzip   bool
		stream bool
		err    error
	}{
		{"exact", 200, exact, false, false, nil},
		{"over", 200, over, false, false, ErrTooLarge},
		{"exact, compressed", 200, exact, true, false, nil},
		{"over, compressed", 200, over, true, false, ErrTooLarge},
		{"stream", 200, over, false, true, nil},
		{"error answer to a stream", 500, over, false, true, ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				body := []byte(tc.text)
				if tc.gzip {
					w.Header().Set("Content-Encoding", "gzip")
					body = zip(t, tc.text)
				}
				w.WriteHeader(tc.status)
				w.Write(body)
			})
			_, got, err := send(t, newTransport(t, Options{MaxBody: limit}), Request{URL: at, Stream: tc.stream})
			if !errors.Is(err, tc.err) || tc.err == nil && got != tc.text || len(got) > limit && !tc.stream {
				t.Errorf("got %d bytes, %v, want %d, %v", len(got), err, len(tc.text), tc.err)
			}
		})
	}
}

// TestGzipBomb stops where the limit is, long before the end (S106).
func TestGzipBomb(t *testing.T) {
	bomb := zip(t, strings.Repeat("\x00", 16<<20))
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb)
	})
	tr := newTransport(t, Options{MaxBody: 1 << 20})
	_, got, err := send(t, tr, Request{URL: at})
	if !errors.Is(err, ErrTooLarge) || len(got) != 1<<20 {
		t.Errorf("got %d bytes, %v, want %d and ErrTooLarge", len(got), err, 1<<20)
	}
}

// TestGzipStream reads each event of a compressed stream while the next is not yet
// sent (T084).
func TestGzipStream(t *testing.T) {
	next := make(chan struct{})
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for _, event := range []string{"data: one\n\n", "data: two\n\n"} {
			io.WriteString(z, event)
			z.Flush()
			http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
		z.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := newTransport(t, Options{}).Send(ctx, Request{Provider: local("none"), URL: at, Body: []byte("{}"), Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, want := range []string{"data: one\n\n", "data: two\n\n"} {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q before the next is sent", got, err, want)
		}
		next <- struct{}{}
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v, want the end", rest, err)
	}
}
