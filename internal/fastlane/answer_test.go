package fastlane

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func write(status int, pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
		}
		for _, p := range pieces {
			_, _ = io.WriteString(w, p)
		}
	}
}

func with(h http.HandlerFunc, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(fields); i += 2 {
			w.Header().Add(fields[i], fields[i+1])
		}
		h(w, r)
	}
}

// fields are n names with their values.
func fields(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("X-%d", i*7919%n), fmt.Sprint(i))
	}
	return list
}

var large = strings.Repeat("large ", 2000)

var handlers = map[string]http.HandlerFunc{
	"nothing":            func(http.ResponseWriter, *http.Request) {},
	"text":               write(0, "hello"),
	"two texts":          write(http.StatusCreated, "hello ", "world"),
	"html":               write(0, "<!DOCTYPE html>"),
	"empty text":         write(0, ""),
	"large":              write(0, large),
	"large in pieces":    write(0, strings.SplitAfter(large, " ")...),
	"just below a chunk": write(0, large[:beforeChunks-1]),
	"just a chunk":       write(0, large[:beforeChunks]),
	"just above a chunk": write(0, large[:beforeChunks], "x"),
	"no content":         write(http.StatusNoContent),
	"content all the same": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		_, err := io.WriteString(w, "hello")
		if !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(err)
		}
	},
	"not modified":         with(write(http.StatusNotModified), "Content-Type", "a/b", "Content-Length", "5", "Etag", "x"),
	"unknown status":       write(299, "x"),
	"server error":         write(http.StatusInternalServerError, "x"),
	"length":               with(write(0, "hello"), "Content-Length", "5"),
	"length and type":      with(write(0, "hello"), "Content-Length", "5", "Content-Type", "a/b"),
	"large with a length":  with(write(0, large), "Content-Length", fmt.Sprint(len(large)), "Content-Type", "a/b"),
	"length, status, type": with(write(http.StatusTeapot, "hello"), "Content-Length", "5", "Content-Type", "a/b"),
	"too short":            with(write(0, "hell"), "Content-Length", "5", "Content-Type", "a/b"),
	"too long":             with(write(0, "hello", "!"), "Content-Length", "5", "Content-Type", "a/b"),
	"close":                with(write(0, "hello"), "Connection", "close"),
	"close, among others":  with(write(0, "hello"), "Connection", "a, close"),
	"keep-alive":           with(write(0, "hello"), "Connection", "keep-alive"),
	"own date":             with(write(0, "hello"), "Date", "today"),
	"no date":              func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil },
	"no type": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "x")
	},
	"encoded":         with(write(0, "hello"), "Content-Encoding", "gzip"),
	"several fields":  with(write(0, "hello"), fields(12)...),
	"many fields":     with(write(0, "hello"), fields(100)...),
	"a large field":   with(write(0, "hello"), "A", large),
	"several values":  with(write(0), "A", "1", "B", "2", "A", "3"),
	"lines in values": with(write(0), "A", " a\r\nB: c\n "),
	"bad names":       with(write(0), "A B", "c", "", "d", "E:", "f"),
	"flush":           func(w http.ResponseWriter, _ *http.Request) { flush(w); _, _ = io.WriteString(w, "hello"); flush(w) },
	"flush twice": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a")
		flush(w)
		flush(w)
		_, _ = io.WriteString(w, "b")
	},
	"flush with a length": with(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "he")
		flush(w)
		_, _ = io.WriteString(w, "llo")
	}, "Content-Length", "5"),
	"changed after status": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("A", "1")
		w.WriteHeader(200)
		w.Header().Set("A", "2")
		w.Header().Set("B", "3")
	},
	"set after status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.Header().Set("A", "2") },
	"status twice":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(202) },
	"early hints": with(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(103)
		w.WriteHeader(200)
		_, _ = io.WriteString(w, "x")
	}, "Link", "x", "Content-Length", "1"),
	"trailer": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		w.Header().Set(http.TrailerPrefix+"A", "b")
	},
	"trailer after a flush": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		flush(w)
		w.Header().Set(http.TrailerPrefix+"A", "b")
		w.Header().Add(http.TrailerPrefix+"A", "c")
	},
	"trailer known before":  with(write(0, "x"), http.TrailerPrefix+"A", "b"),
	"trailer with a length": with(write(0, "x"), http.TrailerPrefix+"A", "b", "Content-Length", "1", "Content-Type", "a/b"),
	"abort before anything": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"abort": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		panic(http.ErrAbortHandler)
	},
	"abort after a flush": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		flush(w)
		_, _ = io.WriteString(w, large)
		panic(http.ErrAbortHandler)
	},
	"abort with a length": with(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, large)
		flush(w) // of what is not flushed net/http gives less
		panic(http.ErrAbortHandler)
	}, "Content-Length", "99999", "Content-Type", "a/b"),
	"panic":     func(http.ResponseWriter, *http.Request) { panic("oh") },
	"deadlines": func(w http.ResponseWriter, _ *http.Request) { deadlines(w); _, _ = io.WriteString(w, "x") },
	"body closed": func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err)
	},
	"body half read": func(w http.ResponseWriter, r *http.Request) {
		n, err := io.ReadFull(r.Body, make([]byte, 2))
		fmt.Fprint(w, n, err)
	},
	"body read after the answer has begun": func(w http.ResponseWriter, r *http.Request) {
		flush(w)
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n == 0, err != nil && !errors.Is(err, http.ErrBodyReadAfterClose))
	},
	"echo": func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
}

func flush(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(err)
	}
}

func deadlines(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	if err := errors.Join(c.SetReadDeadline(time.Now().Add(time.Hour)), c.SetWriteDeadline(time.Now().Add(time.Hour))); err != nil {
		panic(err)
	}
}

// TestAnswersAsNetHTTP holds what clients get against what net/http's server gives them, byte for byte.
func TestAnswersAsNetHTTP(t *testing.T) {
	t.Parallel()
	const next = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twice := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/next" {
					_, _ = io.WriteString(w, "next")
					return
				}
				h(w, r)
			})
			for _, request := range []string{
				"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
				"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
				"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
				"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + large[:9000],
				"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
			} {
				got, want := play(t, New(quiet(twice)), newWire([]byte(request+next))), play(t, quiet(twice), newWire([]byte(request+next)))
				if got != want {
					t.Errorf("%.60q:\ngot  %.2000q\nwant %.2000q", request, got, want)
				}
			}
		})
	}
}

// TestLargeBodiesUnread: a body that is too large to be read for nothing costs the connection, as it does with net/http.
func TestLargeBodiesUnread(t *testing.T) {
	t.Parallel()
	closed := func(_ http.ResponseWriter, r *http.Request) { r.Body.Close() }
	refused := with(write(http.StatusRequestEntityTooLarge, "x"), "Content-Length", "1", "Content-Type", "a/b")
	for _, test := range []struct {
		name string
		size int
		h    http.HandlerFunc
	}{
		{"unread", maxUnread - 1, write(0, "x")},
		{"unread", maxUnread + 1, write(0, "x")},
		{"closed", maxUnread - 1, closed},
		{"closed", maxUnread + 1, closed},
		{"refused", 3 * maxUnread, refused},
	} {
		t.Run(fmt.Sprint(test.name, " ", test.size), func(t *testing.T) {
			t.Parallel()
			body := strings.Repeat("b", test.size)
			const next = "POST /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nb"
			text := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s%s", len(body), body, next)
			if got, want := play(t, New(quiet(test.h)), newWire([]byte(text))), play(t, quiet(test.h), newWire([]byte(text))); got != want {
				t.Errorf("got  %.2000q\nwant %.2000q", got, want)
			}
		})
	}
}

// TestRefusedAmidRequest: a client that reads nothing before it has sent all is told why that was in vain.
func TestRefusedAmidRequest(t *testing.T) {
	t.Parallel()
	s := openHouse(t, write(http.StatusServiceUnavailable, "no"))
	const size = 8 << 20
	var err error
	for range 5 { // as it must be sent in half a second
		conn, r := s.dial(t)
		send(t, conn, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size))
		if _, err = io.Copy(conn, strings.NewReader(strings.Repeat("b", size))); err == nil {
			want(t, r, "no")
			return
		}
	}
	t.Errorf("got %v, want all taken", err)
}
