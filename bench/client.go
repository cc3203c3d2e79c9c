package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// client is one keep-alive connection. It writes a request in one piece and reads
// the answer into its own memory, so that the load costs little beside what it
// measures. It belongs to one goroutine.
type client struct {
	conn    net.Conn
	reader  *bufio.Reader
	message []byte // the request, headers included
	plan    *scenario
	exact   bool // the answer must be the vendor's bytes
	body    []byte
}

// answerTime bounds one answer; an ordinary one takes a thousandth of it.
const answerTime = 10 * time.Second

func dial(ctx context.Context, address string, s *scenario, m message) (*client, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	message := "POST " + m.path + " HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\n" +
		s.client.header + "\r\nUser-Agent: bench\r\nContent-Length: " + strconv.Itoa(len(m.body)) + "\r\n\r\n" + string(m.body)
	return &client{conn: conn, reader: bufio.NewReader(conn), message: []byte(message), plan: s}, nil
}

func (c *client) close() { c.conn.Close() }

// timing is how long an answer took.
type timing struct {
	first time.Duration // to the first content of a stream
	whole time.Duration
}

// do sends the request, reads the answer and checks it. Times count from begin,
// which may lie before the call if the request had to wait for this client.
func (c *client) do(begin time.Time) (timing, error) {
	var t timing
	if err := c.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return t, err
	}
	answer, err := c.send()
	if err != nil {
		return t, err
	}
	c.body = c.body[:0]
	for {
		err := c.more(answer)
		if t.first == 0 && bytes.Contains(c.body, []byte(words[0])) {
			t.first = time.Since(begin)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t, fmt.Errorf("read the answer after %d bytes: %w", len(c.body), err)
		}
	}
	t.whole = time.Since(begin)
	answer.Body.Close()
	return t, c.check()
}

// send sends the request and reads the answer up to its body.
func (c *client) send() (*http.Response, error) {
	if _, err := c.conn.Write(c.message); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		answer.Body.Close()
		return nil, fmt.Errorf("got status %d, want 200: %s", answer.StatusCode, said)
	}
	return answer, nil
}

// more reads once.
func (c *client) more(answer *http.Response) error {
	if len(c.body) == cap(c.body) {
		c.body = append(make([]byte, 0, max(4<<10, 2*cap(c.body))), c.body...)
	}
	n, err := answer.Body.Read(c.body[len(c.body):cap(c.body)])
	c.body = c.body[:len(c.body)+n]
	return err
}

// check is the cheap check of every answer: the vendor's own bytes where they must
// be, else each word as often as it belongs there and the right end.
func (c *client) check() error {
	f := c.plan.client
	if c.exact {
		want := f.answer
		if c.plan.stream {
			want = f.stream
		}
		if !bytes.Equal(c.body, want) {
			return fmt.Errorf("got %d bytes ending in %q, want the vendor's %d as they were", len(c.body), tail(c.body), len(want))
		}
		return nil
	}
	want := chunkCount / len(words)
	if c.plan.stream {
		if err := f.isWhole(c.body); err != nil {
			return err
		}
		want *= max(1, f.copies)
	} else if !bytes.HasSuffix(c.body, []byte("}")) {
		return fmt.Errorf("got an answer that ends in %q, want %q", tail(c.body), "}")
	}
	for _, mark := range marks {
		if n := bytes.Count(c.body, []byte(mark)); n != want {
			return fmt.Errorf("got %q %d times, want %d", mark, n, want)
		}
	}
	return nil
}

// hold sends the request and reads until the stream has content, which leaves it
// open.
func (c *client) hold() error {
	if err := c.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	answer, err := c.send() //nolint:bodyclose // the stream stays open until its connection is closed
	if err != nil {
		return err
	}
	for !bytes.Contains(c.body, []byte(words[len(words)-1])) {
		if err := c.more(answer); err != nil {
			return fmt.Errorf("read the answer after %d bytes: %w", len(c.body), err)
		}
	}
	return nil
}
