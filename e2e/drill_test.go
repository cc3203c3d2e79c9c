//go:build unix

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// operate asks the admin API of a house, and wants it done.
func (h *house) operate(method, path, body string, into any) {
	h.t.Helper()
	a := h.asOperator(method, path, body, h.token())
	if a.err != nil || a.status != http.StatusOK {
		h.t.Fatalf("%s %s: got status %d, error %v and %.300s, want 200", method, path, a.status, a.err, a.body)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) asOperator(method, path, body, token string, header ...string) got {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.admin+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return h.do(req)
}

// token is the admin token that the gateway has shown.
func (h *house) token() string {
	h.t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if _, after, ok := strings.Cut(h.told.all(), "shown this once: "); ok {
			if token, _, whole := strings.Cut(after, "\n"); whole {
				return token
			}
		}
	}
	h.t.Fatal("got no admin token")
	return ""
}

// TestDrillEveryFault puts every fault there is in the way of the lead, and asks in two APIs, streamed and not: the
// understudy answers, wholly, and a lead that is not to be asked is not.
func TestDrillEveryFault(t *testing.T) {
	t.Parallel()
	h := openHouse(t, `
models:
  assistant: {lead: chat/small, understudies: [claude/small], timeouts: {first_token: 2s, answer: 2s, stall: 2s, total: 1m}}
`)
	var faults struct {
		Data []struct {
			Name  string
			Sends bool
		}
	}
	h.operate("GET", "/v1/faults", "", &faults)
	if len(faults.Data) < 10 {
		t.Fatalf("got %d faults, want more", len(faults.Data))
	}
	for _, f := range faults.Data {
		before := h.chat.Count()
		h.operate("PUT", "/v1/drills/"+f.Name, `{"provider":"chat","fault":"`+f.Name+`","seconds":600,"delay_ms":50}`, nil)
		var calls sync.WaitGroup // at once, since some faults wait
		for _, path := range []string{chatPath, messagesPath} {
			for _, stream := range []bool{false, true} {
				calls.Go(func() {
					a := h.post(path, strings.Replace(ask("assistant", stream), "Where is Ada?", "Say one two three four five six seven eight nine ten.", 1))
					name := f.Name + " " + path
					if a.err != nil || a.status != http.StatusOK || strings.Contains(a.body, `"error"`) || !strings.Contains(a.body, "ten") {
						t.Errorf("%s, stream %v: got status %d, error %v and %.600s, want a whole answer", name, stream, a.status, a.err, a.body)
					}
					if end := map[string]string{chatPath: "data: [DONE]", messagesPath: "event: message_stop"}[path]; stream && strings.Count(a.body, end) != 1 {
						t.Errorf("%s: got %d ends of the stream, want 1", name, strings.Count(a.body, end))
					}
				})
			}
		}
		calls.Wait()
		var report struct {
			State          string
			ClientFailures int `json:"client_failures"`
			Struck, Spared struct{ Calls, Failed int }
		}
		h.operate("POST", "/v1/drills/"+f.Name+"/stop", "", &report)
		if report.State != "stopped" || report.ClientFailures != 0 || report.Struck.Calls+report.Spared.Calls != 4 || report.Struck.Calls == 0 {
			t.Errorf("%s: got %+v, want four calls, no failure", f.Name, report)
		}
		if asked := h.chat.Count() - before; !f.Sends && asked != 0 {
			t.Errorf("%s: got %d requests at the vendor, want none", f.Name, asked)
		}
		h.operate("POST", "/v1/health/chat/forget", "", nil)
	}
}

// TestStopLetsGo stops a drill, and the gateway, while calls hang in it.
func TestStopLetsGo(t *testing.T) {
	t.Parallel()
	for _, stop := range []string{"drill", "gateway"} {
		h := openHouse(t, standard)
		h.operate("PUT", "/v1/drills/one", `{"provider":"chat","fault":"hang","seconds":600}`, nil)
		over := make(chan got, 1)
		go func() { over <- h.post(chatPath, ask("assistant", false)) }()
		for {
			var report struct{ Open int }
			if h.operate("GET", "/v1/drills/one", "", &report); report.Open == 1 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		begun := time.Now()
		if stop == "drill" {
			h.operate("POST", "/v1/drills/one/stop", "", nil)
		} else {
			h.stop()
		}
		wantWhole(t, stop, <-over, "Where is Ada?")
		if took := time.Since(begun); took > 8*time.Second {
			t.Errorf("%s: got the call let go after %v, want at once", stop, took)
		}
		var report struct {
			State  string
			Struck struct{ Calls, Failovers int }
		}
		for report.State != "stopped" && time.Since(begun) < patience {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(h.config), "data", "drills", "one.json"))
			if err == nil {
				err = json.Unmarshal(text, &report)
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if report.State != "stopped" || report.Struck.Calls != 1 || report.Struck.Failovers != 1 {
			t.Errorf("%s: got %+v, want the call in the report", stop, report)
		}
	}
}
