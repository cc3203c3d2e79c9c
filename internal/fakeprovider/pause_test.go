package fakeprovider

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	for _, dialect := range []string{Chat, Messages} {
		s := start(t, Options{})
		s.Pause(true)
		resp, err := client(t).Do(request(t.Context(), t, s, dialect, bodyFor(dialect, "m+chunks-5", true)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		words, whole, isPaused := 0, false, true
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if words += strings.Count(lines.Text(), `"word`); words == 1 && isPaused {
				time.Sleep(20 * time.Millisecond) // in which one that is not paused would end
				if got := s.OpenStreams(); got != 1 {
					t.Errorf("%s: got %d streams, want the one that is paused", dialect, got)
				}
				isPaused = false
				s.Pause(false)
				s.Pause(false) // which changes nothing
			}
			whole = whole || strings.Contains(lines.Text(), "[DONE]") || strings.Contains(lines.Text(), "message_stop")
		}
		if words != 5 || !whole {
			t.Errorf("%s: got %d words, whole: %v, want all 5 and the end", dialect, words, whole)
		}
	}
}

// TestPauseEnds: neither a client that leaves nor a server that closes waits for a stream that is paused.
func TestPauseEnds(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		s := start(t, Options{})
		s.Pause(true)
		c := &http.Client{Transport: &http.Transport{}}
		resp, err := c.Do(request(t.Context(), t, s, Chat, bodyFor(Chat, "m+chunks-5", true)))
		if err != nil {
			t.Fatal(err)
		}
		for lines, spoken := bufio.NewScanner(resp.Body), false; !spoken && lines.Scan(); {
			spoken = strings.Contains(lines.Text(), `"word`)
		}
		if leaves {
			resp.Body.Close()
			eventually(t, "no open stream", func() bool { return s.OpenStreams() == 0 })
		}
		s.Close()
		resp.Body.Close()
	}
}
