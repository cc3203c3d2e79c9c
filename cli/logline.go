package cli

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// lineHandler writes lines of plain values byte for byte as slog's JSON handler does, which it is for all
// others. The line of each call is one of the plain ones, and so costs a third.
type lineHandler struct {
	slog.Handler // of slog
	w            io.Writer
}

func newLineHandler(w io.Writer, o *slog.HandlerOptions) slog.Handler {
	return lineHandler{slog.NewJSONHandler(w, o), w}
}

// lineBuffers are what lines are put together in.
var lineBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// Handle writes a record as a line.
func (h lineHandler) Handle(ctx context.Context, r slog.Record) error {
	buf := lineBuffers.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	defer lineBuffers.Put(buf)
	line, ok := appendLine((*buf)[:0], &r)
	*buf = line
	if !ok {
		return h.Handler.Handle(ctx, r)
	}
	_, err := h.w.Write(line)
	return err //nolint:wrapcheck // a handler passes its writer's error on
}

// appendLine is false if there is more in r than plain values.
func appendLine(dst []byte, r *slog.Record) ([]byte, bool) {
	if r.Time.IsZero() {
		return dst, false
	}
	dst = append(dst, `{"time":"`...)
	dst = r.Time.AppendFormat(dst, time.RFC3339Nano)
	dst = append(append(append(dst, `","level":"`...), r.Level.String()...), '"')
	dst, ok := appendText(append(dst, `,"msg":`...), r.Message)
	r.Attrs(func(a slog.Attr) bool {
		dst = append(dst, ',')
		if dst, ok = appendText(dst, a.Key); ok {
			dst, ok = appendValue(append(dst, ':'), a.Value)
		}
		return ok
	})
	return append(dst, '}', '\n'), ok
}

func appendValue(dst []byte, v slog.Value) ([]byte, bool) {
	switch v.Kind() {
	case slog.KindString:
		return appendText(dst, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool()), true
	default:
		return dst, false
	}
}

// appendText quotes s, if nothing in it is to be escaped.
func appendText(dst []byte, s string) ([]byte, bool) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return dst, false
		}
	}
	return append(append(append(dst, '"'), s...), '"'), true
}
