package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDrillDelay: how late a drill makes what comes is the gateway's to say, unless it is given.
func TestDrillDelay(t *testing.T) {
	var asked string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = string(b)
		http.Error(w, "{}", http.StatusTeapot)
	}))
	defer s.Close()
	t.Setenv("UNDERSTUDY_ADMIN_TOKEN", "x")
	for delay, want := range map[string]string{"": "", "--delay=250ms": `"delay_ms":250`} {
		asked = ""
		args := []string{"drill", "openai", "--fault", "slow", "--for", "1m", "--admin", strings.TrimPrefix(s.URL, "http://")}
		if delay != "" {
			args = append(args, delay)
		}
		var out bytes.Buffer
		Main(args, strings.NewReader(""), &out, &out)
		if !strings.Contains(asked, `"fault":"slow"`) || want == "" && strings.Contains(asked, "delay_ms") || !strings.Contains(asked, want) {
			t.Errorf("%s: got the gateway asked for %s, want %q in it\n%s", delay, asked, want, &out)
		}
	}
}
