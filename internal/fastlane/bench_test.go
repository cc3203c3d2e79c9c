package fastlane

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkRequest has a request of 1,000 bytes answered by 600, as a client of a gateway would: one after the other on
// one connection. What the client itself does is the same for both servers, and little.
func BenchmarkRequest(b *testing.B) {
	answer := []byte(strings.Repeat("a", 600))
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{"600"}
		_, _ = w.Write(answer)
	})
	for name, s := range map[string]server{"fastlane": New(quiet(h)), "net-http": quiet(h)} {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go func() { _ = s.Serve(l) }()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			request := []byte("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\nAuthorization: Bearer key\r\n" +
				"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("b", 1000))
			got := make([]byte, 4<<10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				for read := 0; read < len(answer); {
					n, err := conn.Read(got)
					if err != nil {
						b.Fatal(err)
					}
					read += n
				}
			}
		})
		_ = s.Close()
	}
}

// BenchmarkHead reads the head of a request, and puts out that of an answer.
func BenchmarkHead(b *testing.B) {
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		text := []byte("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\nAccept: application/json\r\n" +
			"Authorization: Bearer sk-0123456789abcdef0123456789abcdef\r\nUser-Agent: OpenAI/Python 2.1.0\r\nContent-Length: 1000\r\n")
		for b.Loop() {
			if h := new(head); !h.parse(string(text)) {
				b.Fatal("got a head that is not plain")
			}
		}
	})
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		x := &exchange{c: &conn{s: New(quiet(nil))}}
		h := http.Header{
			"Content-Type": {"application/json"}, "Content-Length": {"600"}, "X-Request-Id": {"call-0123456789"}, "X-Understudy-Mode": {"relay"},
			"X-Understudy-Target": {"acme/large"}, "X-Understudy-Attempts": {"1"}, "Openai-Processing-Ms": {"12"},
		}
		for b.Loop() {
			r := response{x: x, header: h, asked: true, length: -1}
			r.WriteHeader(http.StatusOK)
			x.c.out.Reset(nil)
			x.body.closed = false
		}
	})
}
