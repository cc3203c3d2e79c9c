package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// Whichever way a line is written, it is the one that slog writes.
func TestLineHandler(t *testing.T) {
	t.Parallel()
	var ours, theirs bytes.Buffer
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	h, want := newLineHandler(&ours, o), slog.Handler(slog.NewJSONHandler(&theirs, o))
	now := time.Date(2026, 11, 25, 1, 2, 3, 456789000, time.FixedZone("", 3600))
	for _, at := range []time.Time{now, now.UTC(), {}} {
		for _, attrs := range [][]slog.Attr{
			nil,
			{slog.String("call", "call_1"), slog.Int("ms", -7), slog.Bool("stream", true), slog.Int64("in", 1<<60), slog.String("empty", "")},
			{slog.String("plain", "a"), slog.String("text", "é \" \\ \n \x7f < > & \u2028")},
			{slog.String("é", "a")},
			{slog.Any("cause", errors.New("x")), slog.Duration("d", time.Second), slog.Float64("f", 1.5), slog.Any("none", nil)},
			{slog.Group("g", slog.String("a", "b")), slog.Group("", slog.Int("inline", 1)), slog.Attr{}},
			{slog.String("plain", "a"), {}},
		} {
			r := slog.NewRecord(at, slog.LevelWarn, "call", 0)
			r.AddAttrs(attrs...)
			for _, pair := range [][2]slog.Handler{
				{h, want},
				{h.WithAttrs([]slog.Attr{slog.Int("x", 1)}), want.WithAttrs([]slog.Attr{slog.Int("x", 1)})},
				{h.WithGroup("g"), want.WithGroup("g")},
			} {
				ours.Reset()
				theirs.Reset()
				if err := errors.Join(pair[0].Handle(context.Background(), r), pair[1].Handle(context.Background(), r)); err != nil {
					t.Fatal(err)
				}
				if ours.String() != theirs.String() {
					t.Errorf("got %s want %s", ours.String(), theirs.String())
				}
			}
		}
	}
	if h.Enabled(t.Context(), slog.LevelDebug) || !h.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("got another level than the handler was given")
	}
}

func BenchmarkLineHandler(b *testing.B) {
	for name, h := range map[string]slog.Handler{"ours": newLineHandler(discard{}, nil), "slog": slog.NewJSONHandler(discard{}, nil)} {
		b.Run(name, func(b *testing.B) {
			r := slog.NewRecord(time.Now(), slog.LevelInfo, "call", 0)
			for _, key := range []string{"call", "caller", "dialect", "operation", "model", "target", "mode"} {
				r.AddAttrs(slog.String(key, "some words"), slog.Int("n", 1234))
			}
			for b.Loop() {
				_ = h.Handle(b.Context(), r)
			}
		})
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
