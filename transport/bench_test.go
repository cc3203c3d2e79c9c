package transport

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

const benchAnswer = "HTTP/1.1 200 OK\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 600\r\n" +
	"X-Request-Id: req_0123456789abcdef\r\nX-Ratelimit-Remaining-Requests: 9999\r\n\r\n"

// BenchmarkSend has a request of 1,000 bytes answered by 600, one after the other on one connection.
func BenchmarkSend(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	body := bytes.Repeat([]byte("b"), 1000)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		answer, got := []byte(benchAnswer+strings.Repeat("a", 600)), make([]byte, 4<<10)
		for {
			if n, err := conn.Read(got); err != nil || !bytes.HasSuffix(got[:n], body) {
				return
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}()
	tr := New(Options{Proxy: noProxy})
	defer tr.Close()
	r := Request{
		Provider: local("bearer"), URL: "http://" + l.Addr().String() + "/v1/chat/completions", Body: body,
		Header: http.Header{"Openai-Organization": {"org"}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
	}
	r.Provider.Facts.Headers = nil
	got := make([]byte, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := tr.Send(b.Context(), r)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.ReadFull(resp.Body, got[:600]); err != nil {
			b.Fatal(n, err)
		}
		resp.Body.Close()
	}
}

// BenchmarkHead writes the head of a request, and reads that of an answer.
func BenchmarkHead(b *testing.B) {
	b.Run("header", func(b *testing.B) {
		b.ReportAllocs()
		tr := New(Options{Proxy: noProxy})
		defer tr.Close()
		r := Request{
			Provider: local("bearer"), Body: []byte("{}"),
			Header: http.Header{"Openai-Organization": {"org"}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		}
		r.Provider.Facts.Headers = nil
		for b.Loop() {
			if _, err := tr.setHeader(b.Context(), &http.Request{}, r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		answer := strings.NewReader(benchAnswer)
		l := &line{}
		l.reader = bufio.NewReaderSize(answer, ioBuffer)
		for b.Loop() {
			answer.Reset(benchAnswer)
			if !l.plainHead(&(&exchange{}).plain) {
				b.Fatal("got an answer that is not plain")
			}
		}
	})
}
