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
