package drill

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/transport"
)

func TestFaultsBeforeTheAnswer(t *testing.T) {
	for _, tc := range []struct {
		fault  string
		status int
		err    error
	}{
		{"refused", 0, syscall.ECONNREFUSED},
		{"reset", 0, syscall.ECONNRESET},
		{"rate-429", 429, nil},
		{"internal-500", 500, nil},
		{"bad-gateway-502", 502, nil},
		{"unavailable-503", 503, nil},
		{"overloaded-529", 529, nil},
		{"invalid-json", 200, nil},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			v := &vendor{}
			d, _ := newDrills(t, v)
			start(t, d, "one", Spec{Fault: tc.fault})
			resp, err := d.Send(t.Context(), ask("call"))
			var send *transport.SendError
			switch {
			case tc.err != nil && (!errors.Is(err, tc.err) || !errors.As(err, &send) || send.MayRepeat() || send.Wrote || send.Phase != transport.PhaseConnect || !strings.Contains(err.Error(), "drill one")):
				t.Errorf("got error %v, want %v of the transport's kind, marked as the drill's", err, tc.err)
			case tc.err == nil && (err != nil || resp.Status != tc.status || !resp.Unsent):
				t.Errorf("got %+v and error %v, want status %d", resp, err, tc.status)
			}
			_, resp, err = d.Upgrade(t.Context(), ask("call"), nil)
			if tc.err != nil && !errors.Is(err, tc.err) || tc.err == nil && resp.Status != tc.status {
				t.Errorf("a session: got %+v and error %v, want the same", resp, err)
			}
			if n := v.asked.Load(); n != 0 {
				t.Errorf("got %d requests at the vendor, want none", n)
			}
			// Nobody else's, and after the end nobody's.
			r := ask("call")
			r.Provider = other
			if _, err := d.Send(t.Context(), r); err != nil || v.asked.Load() != 1 {
				t.Errorf("another provider: got error %v and %d requests, want it asked", err, v.asked.Load())
			}
			over(d, "call", "")
			if r, err := d.Stop(t.Context(), "one"); err != nil || r.State != Stopped || r.Struck.Failovers != 1 {
				t.Errorf("got %+v and error %v, want it stopped", r, err)
			}
			if _, err := d.Send(t.Context(), ask("call")); err != nil || v.asked.Load() != 2 {
				t.Errorf("after the end: got error %v and %d requests, want it asked", err, v.asked.Load())
			}
		})
	}
}

func TestHangIsLetGo(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	d, _ := newDrills(t, v)
	start(t, d, "one", Spec{Fault: "hang"})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("too late"))
	defer cancel()
	if _, err := d.Send(ctx, ask("first")); err == nil || !strings.Contains(err.Error(), "too late") {
		t.Errorf("got error %v, want the context's", err)
	}
	over(d, "first", "")
	failed := make(chan error, 1)
	go func() {
		_, err := d.Send(t.Context(), ask("second"))
		over(d, "second", "")
		failed <- err
	}()
	for n := 0; n == 0; n = d.open() {
		time.Sleep(time.Millisecond)
	}
	begun := time.Now()
	if r, err := d.Stop(t.Context(), "one"); err != nil || r.Struck.Calls != 2 || r.Open != 0 {
		t.Errorf("got %+v and error %v, want the report of two calls", r, err)
	}
	if err := <-failed; !errors.Is(err, syscall.ECONNRESET) || time.Since(begun) > time.Second {
		t.Errorf("got error %v after %v, want the call let go at once", err, time.Since(begun))
	}
	if v.asked.Load() != 0 {
		t.Errorf("got %d requests at the vendor, want none", v.asked.Load())
	}
}

func (d *Drills) open() int {
	if r := d.current.Load(); r != nil {
		return r.report().Open
	}
	return 0
}

// streams are answers of ten pieces in each framing.
func streams() map[string]string {
	text, crlf, lines, binaryText := "", "", "", ""
	for i := range 10 {
		text += fmt.Sprintf("event: e\ndata: {\"n\":%d}\n\n", i)
		crlf += fmt.Sprintf(": comment\r\ndata: {\"n\":%d}\r\n\r\n", i)
		lines += fmt.Sprintf("{\"n\":%d}\n", i)
		message := fmt.Sprintf("....%03d\n\n---", i)
		binaryText += string(binary.BigEndian.AppendUint32(nil, uint32(len(message)+4))) + message
	}
	return map[string]string{
		"text/event-stream": text, "text/event-stream; charset=utf-8": crlf, "application/x-ndjson": lines, "application/vnd.amazon.eventstream": binaryText,
	}
}

func TestFaultsInTheMiddle(t *testing.T) {
	for kind, text := range streams() {
		for _, fault := range []string{"cut", "stall", "drip"} {
			for _, size := range []int{1, 7, 4096} {
				t.Run(fmt.Sprint(fault, " ", kind, " ", size), func(t *testing.T) {
					v := &vendor{kind: kind, answer: text}
					d, _ := newDrills(t, v)
					start(t, d, "one", Spec{Fault: fault, DelayMS: 1})
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					r := ask("call")
					r.Stream = true
					resp, err := d.Send(ctx, r)
					if err != nil {
						t.Fatal(err)
					}
					want := text[:len(text)/10*afterPieces]
					if fault == "drip" {
						want = text
					}
					var body io.Reader = resp.Body
					if fault == "stall" {
						body = io.TeeReader(body, &quota{left: len(want), full: func() {
							time.AfterFunc(5*time.Millisecond, func() { cancel(errors.New("too late")) })
						}})
					}
					got, err := readIn(body, size)
					if got != want {
						t.Errorf("got %q, want %q", got, want)
					}
					switch fault {
					case "cut":
						if !errors.Is(err, syscall.ECONNRESET) {
							t.Errorf("got error %v, want a connection that broke", err)
						}
					case "stall":
						if err == nil || !strings.Contains(err.Error(), "too late") {
							t.Errorf("got error %v, want the context's", err)
						}
					case "drip":
						if err != nil {
							t.Errorf("got error %v, want the end", err)
						}
						return
					}
					if v.closed.Load() == 0 {
						t.Error("got a request that the vendor still works on, want it cancelled")
					}
				})
			}
		}
	}
}

// quota tells when so many bytes were written.
type quota struct {
	left int
	full func()
}

func (q *quota) Write(b []byte) (int, error) {
	if q.left > 0 && q.left <= len(b) {
		q.full()
	}
	q.left -= len(b)
	return len(b), nil
}

// readIn reads by pieces of a size.
func readIn(r io.Reader, size int) (string, error) {
	var all []byte
	b := make([]byte, size)
	for {
		n, err := r.Read(b)
		all = append(all, b[:n]...)
		if errors.Is(err, io.EOF) {
			return string(all), nil
		}
		if err != nil {
			return string(all), err
		}
	}
}

func TestCutOfAWholeAnswer(t *testing.T) {
	v := &vendor{kind: "application/json", answer: `{"text":"` + strings.Repeat("a", 500) + `"}`}
	d, _ := newDrills(t, v)
	start(t, d, "one", Spec{Fault: "cut"})
	resp, err := d.Send(t.Context(), ask("call"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readIn(resp.Body, 100); got != v.answer[:len(v.answer)/2] || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q and error %v, want half of the answer and a connection that broke", got, err)
	}
}

func TestSlow(t *testing.T) {
	v := &vendor{kind: "application/json", answer: "{}"}
	d, _ := newDrills(t, v)
	start(t, d, "one", Spec{Fault: "slow", DelayMS: 30})
	begun := time.Now()
	resp, err := d.Send(t.Context(), ask("call"))
	if err != nil || resp.Status != 200 || time.Since(begun) < 30*time.Millisecond {
		t.Errorf("got %+v and error %v after %v, want the answer 30 ms late", resp, err, time.Since(begun))
	}
}

// TestWhoIsStruck sends many calls: the share is kept, all attempts of a call meet the same, and filters hold.
func TestWhoIsStruck(t *testing.T) {
	for _, share := range []float64{0.05, 0.5, 1} {
		v := &vendor{}
		d, _ := newDrills(t, v)
		start(t, d, "one", Spec{Fault: "reset", Share: share})
		const calls = 10_000
		struck := 0
		for i := range calls {
			r := ask("call_" + strconv.Itoa(i))
			_, first := d.Send(t.Context(), r)
			_, second := d.Send(t.Context(), r)
			if (first == nil) != (second == nil) {
				t.Fatalf("got %v and then %v for one call, want the same", first, second)
			}
			if first != nil {
				struck++
			}
		}
		if got := float64(struck) / calls; got < share*0.85 || got > share*1.15 {
			t.Errorf("got a share of %v, want %v", got, share)
		}
		d.Close()
	}
	for _, s := range []Spec{{Model: "assistant"}, {Model: "large"}, {Caller: "ann"}, {Model: "assistant", Caller: "ann"}} {
		d, _ := newDrills(t, &vendor{})
		s.Fault = "reset"
		start(t, d, "one", s)
		if _, err := d.Send(t.Context(), ask("call")); err == nil {
			t.Errorf("%+v: got a call that is not struck", s)
		}
		r := ask("call")
		r.For = transport.Purpose{Call: "call", Caller: "bob", Asked: "solo", Model: "small"}
		if _, err := d.Send(t.Context(), r); err != nil {
			t.Errorf("%+v: got another's call struck", s)
		}
		d.Close()
	}
}
