package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn is a connection to Redis, in version 2 of its protocol.
type conn struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func newConn(c net.Conn) *conn {
	const line = 512 // longer ones are none that we ask for
	return &conn{conn: c, in: bufio.NewReaderSize(c, line)}
}

// replyError is what Redis says is wrong with a command.
type replyError string

// Error returns Redis's own words.
func (e replyError) Error() string { return string(e) }

var errProtocol = errors.New("what answers is no Redis, or one that answers something else than was asked")

// do sends a command, and returns the numbers of its answer.
func (c *conn) do(deadline time.Time, words ...string) ([]int64, error) {
	if err := c.conn.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("ask Redis: %w", err)
	}
	c.out = append(strconv.AppendInt(append(c.out[:0], '*'), int64(len(words)), 10), "\r\n"...)
	for _, w := range words {
		c.out = append(strconv.AppendInt(append(c.out, '$'), int64(len(w)), 10), "\r\n"...)
		c.out = append(append(c.out, w...), "\r\n"...)
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, fmt.Errorf("ask Redis: %w", err)
	}
	return c.answer(false)
}

// answer reads one answer. Of texts nothing is kept. What is asked for has no list within a list.
func (c *conn) answer(inList bool) ([]int64, error) {
	kind, rest, err := c.line()
	if err != nil {
		return nil, err
	}
	switch kind {
	case '+':
		return nil, nil
	case '-':
		return nil, replyError(rest)
	case ':':
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return nil, errProtocol
		}
		return []int64{n}, nil
	case '$':
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil || n > 1<<20 {
			return nil, errProtocol
		}
		if n >= 0 {
			_, err = io.CopyN(io.Discard, c.in, n+2)
		}
		return nil, err //nolint:wrapcheck // it is the connection's
	case '*':
		const most = 16
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil || n > most || inList {
			return nil, errProtocol
		}
		var all []int64
		for range n {
			one, err := c.answer(true)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	default:
		return nil, errProtocol
	}
}

func (c *conn) line() (kind byte, rest string, err error) {
	text, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, "", fmt.Errorf("read Redis's answer: %w", err)
	}
	if len(text) < 3 || text[len(text)-2] != '\r' {
		return 0, "", errProtocol
	}
	return text[0], string(text[1 : len(text)-2]), nil
}
