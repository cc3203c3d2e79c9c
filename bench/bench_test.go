package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary play the vendor and the proxy too.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		exit(playRole(role))
	}
	os.Exit(testAll(m))
}

// understudy is the product, which is built once.
var understudy string

func testAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "understudy-bench-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		understudy = filepath.Join(dir, "understudy")
		err = build(context.Background(), understudy)
	}
	if err == nil {
		err = flag.Set("test.parallel", "4") // most wait
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// TestRun runs the whole bench with tiny counts.
func TestRun(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the CPU time of another process is read on Linux only")
	}
	o := options{
		duration: 800 * time.Millisecond, rounds: 1, turns: 11, connections: 2, rate: 500, streams: 8, starts: 1,
		only: regexp.MustCompile(""), json: true, ledger: true, binary: understudy,
	}
	var out, progress bytes.Buffer
	if err := run(t.Context(), o, &out, &progress); err != nil {
		t.Fatalf("run: got %v, want none; progress:\n%s", err, &progress)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("read the report: %v", err)
	}
	if len(r.CPU) != 38 || len(r.Latency) != 10 || len(r.Streams) != 4 {
		t.Errorf("got %d, %d and %d rows, want 38 for CPU, 10 for latency and 4 for open streams", len(r.CPU), len(r.Latency), len(r.Streams))
	}
	for _, row := range r.CPU {
		if row.Proxy.Median <= 0 || row.Understudy.Median <= 0 || row.Ratio.Median <= 0 || row.Durable.Median <= 0 || row.ToDurable.Median <= 0 || row.Requests == 0 {
			t.Errorf("%s: got %+v, want figures above zero", row.Scenario, row)
		}
	}
	for _, row := range r.Latency {
		if row.Direct.P50 <= 0 || row.Durable.P50 <= 0 || row.Understudy.P99 < row.Understudy.P50 {
			t.Errorf("%s: got %+v, want p50 above zero and p99 not below it", row.Scenario, row)
		}
	}
	if r.Process.ColdStartMS.Median <= 0 || r.Process.IdleMiB.Median <= 0 || r.Process.BinaryMiB <= 0 {
		t.Errorf("got %+v, want figures above zero", r.Process)
	}
	var table bytes.Buffer
	if err := r.print(&table); err != nil {
		t.Fatal(err)
	}
	for _, name := range scenarioNames() {
		if !strings.Contains(table.String(), name) {
			t.Errorf("got a table without %q:\n%s", name, &table)
		}
	}
}

// TestLoad takes figures under hardly any load: of what is asked for, nothing may fail or be lost.
func TestLoad(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the CPU time of another process is read on Linux only")
	}
	o := options{duration: 500 * time.Millisecond, streams: 20, only: regexp.MustCompile("many events|slow readers, (HTTP/2|vendor alone)|reloads"), load: true, turns: 11, ledger: true, binary: understudy}
	var out, progress bytes.Buffer
	if err := run(t.Context(), o, &out, &progress); err != nil {
		t.Fatalf("run: got %v, want none; progress:\n%s", err, &progress)
	}
	for _, want := range []string{
		`many events, HTTP/2: streams open, shed, failed +4, 0, 0 `, `many events, HTTP/1.1: streams open, shed, failed +4, 0, 0 `,
		`many events, HTTP/2: events a second, lost +\d+ of 40, 0 `, `many events, HTTP/2: memory, KiB a stream .* ≤ 64\n`,
		`slow readers, HTTP/2: streams read at once and slowly, failed, cut +2 and 2, 0, 0 `, `slow readers, HTTP/2: events lost +0 `,
		`slow readers, vendor alone: streams read at once and slowly, failed, cut +2 and 2, 0, 0 `,
		`reloads: configs taken, refused +4, 1 +4, 1\n`, `reloads: streams whole, cut, events lost +2, 0, 0 `, `reloads: whole answers a second, others +\d+ of 500, 0 `,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("got\n%s\nwant %q in it", &out, want)
		}
	}
}

// TestTrickle has a kibibyte a second read of each connection, whatever there is, and those counted that were cut.
func TestTrickle(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("connections are read without waiting on Linux only")
	}
	const n = 5
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	begun := time.Now()
	tr := startTrickle()
	for i := range n {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		if i == 0 {
			far.Close()
		} else if _, err := far.Write(make([]byte, 16*slowRate)); err != nil {
			t.Fatal(err)
		}
		if err := tr.add(conn); err != nil {
			t.Fatal(err)
		}
	}
	const seconds = 2
	time.Sleep(seconds*time.Second + 500*time.Millisecond)
	if got := tr.stop(); got != 1 {
		t.Errorf("got %d cut, want 1", got)
	}
	took := time.Since(begun) // a busy machine may sleep for longer, and then more is due
	if got, least, most := tr.got.Load(), int64(seconds*(n-1)*slowRate), int64(took/time.Second+1)*(n-1)*slowRate; got < least || got > most {
		t.Errorf("got %d bytes in %v, want %d to %d", got, took, least, most)
	}
}

// TestBrokenAnswers holds the load to noticing what a broken gateway would do.
func TestBrokenAnswers(t *testing.T) {
	unary, stream := named(t, "relay unary openai-chat"), named(t, "relay stream openai-chat")
	translated := named(t, "translate stream openai-chat to anthropic-messages")
	binary := named(t, "translate stream bedrock-converse to openai-chat")
	whole := binary.client.stream
	last := binary.client.chunks[len(binary.client.chunks)-1]
	for _, tc := range []struct {
		name   string
		plan   scenario
		answer []byte
		status int
		want   string // in the error
	}{
		{"whole", unary, unary.client.answer, 200, ""},
		{"status", unary, unary.client.answer, 502, "status 502"},
		{"cut", unary, unary.client.answer[:500], 200, "as they were"},
		{"empty", unary, nil, 200, "as they were"},
		{"one byte changed", unary, bytes.Replace(unary.client.answer, []byte("actor"), []byte("actos"), 1), 200, "as they were"},
		{"stream", stream, stream.client.stream, 200, ""},
		{"stream without its end", stream, bytes.TrimSuffix(stream.client.stream, stream.client.end), 200, "as they were"},
		{"translated", translated, translated.client.stream, 200, ""},
		{"translated without its end", translated, bytes.TrimSuffix(translated.client.stream, translated.client.end), 200, "ends in"},
		{"translated, a word short", translated, bytes.Replace(translated.client.stream, []byte("wings"), nil, 1), 200, "9 times, want 10"},
		{"binary", binary, whole, 200, ""},
		{"binary without its end", binary, bytes.TrimSuffix(whole, last), 200, `"metadata" before that`},
		{"binary, a word short", binary, bytes.Replace(whole, []byte("wings"), nil, 1), 200, "9 times, want 10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(tc.status)
				_, _ = w.Write(tc.answer)
			}))
			defer server.Close()
			to := target{
				name: "test", address: server.Listener.Addr().String(), plan: &tc.plan, request: tc.plan.request(),
				exact: tc.plan.client == tc.plan.vendor,
			}
			clients, err := to.connect(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll(clients)
			_, err = to.paced(clients, 1000, 2)
			if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || err != nil && !strings.Contains(got, tc.want) {
				t.Errorf("got error %v, want %q in it", err, tc.want)
			}
		})
	}
}

func named(t *testing.T, name string) scenario {
	t.Helper()
	for _, s := range scenarios() {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("got no scenario %q, want one", name)
	return scenario{}
}

// TestVerify holds the thorough check to every part of an answer.
func TestVerify(t *testing.T) {
	for _, f := range formats() {
		if err := f.verify(f.answer, false); err != nil {
			t.Errorf("%s: got %v for the vendor's own answer, want none", f.name, err)
		}
		if err := f.verify(f.stream, true); err != nil {
			t.Errorf("%s: got %v for the vendor's own stream, want none", f.name, err)
		}
		for _, change := range [][2]string{{"usher", "other"}, {"250", "251"}, {`"` + f.finish + `"`, `"length"`}} {
			for _, body := range [][]byte{f.answer, f.stream} {
				if err := f.verify(bytes.ReplaceAll(body, []byte(change[0]), []byte(change[1])), len(body) == len(f.stream)); err == nil {
					t.Errorf("%s: got no error after %q became %q, want one", f.name, change[0], change[1])
				}
			}
		}
	}
}

func TestSpread(t *testing.T) {
	for _, tc := range []struct {
		figures []float64
		want    spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 1, 2}, spread{2, 1, 4}},
		{[]float64{1, 2, 4, 9}, spread{3, 1, 9}},
	} {
		if got := spreadOf(tc.figures); got != tc.want {
			t.Errorf("%v: got %+v, want %+v", tc.figures, got, tc.want)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-only", "nothing like it"}, {"-only", "("}, {"-rounds", "0"}, {"-turns", "0"}, {"-rate", "1"}, {"stray"}} {
		if _, err := parseFlags(args); err == nil {
			t.Errorf("%v: got no error, want one", args)
		}
	}
	o, err := parseFlags([]string{"-only", "translate stream"})
	if err != nil || len(o.scenarios()) != 12 {
		t.Errorf("got %v and %d scenarios, want 12", err, len(o.scenarios()))
	}
}
