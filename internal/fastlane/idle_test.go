package fastlane

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestCloseIdle closes connections that wait for a request, from the one that has for longest on, and no other.
func TestCloseIdle(t *testing.T) {
	t.Parallel()
	goOn, running := make(chan struct{}), make(chan struct{})
	s := openHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(running)
			<-goOn
		}
		path(w, r)
	})
	begun, begunReader := s.dial(t)
	send(t, begun, get[:4])
	busy, busyReader := s.dial(t)
	send(t, busy, strings.Replace(get, "/a", "/slow", 1))
	<-running
	answered, answeredReader := s.dial(t)
	start := time.Now()
	send(t, answered, get)
	want(t, answeredReader, "/a")
	if s.CloseIdle() && time.Since(start) < calm {
		t.Error("got a connection closed that has just had an answer, want it left")
	}
	time.Sleep(calm / 2)
	_, silentReader := s.dial(t)
	again, againReader := s.dial(t)
	send(t, again, get)
	want(t, againReader, "/a")
	time.Sleep(calm + 2*lookAgain)
	send(t, again, get[:1])
	for n := 0; n != 2; time.Sleep(time.Millisecond) { // until that has been read
		s.mu.Lock()
		n = 0
		for c := range s.conns {
			if c.since.Load() != 0 {
				n++
			}
		}
		s.mu.Unlock()
	}
	if !s.CloseIdle() {
		t.Fatal("got no connection closed, want the one that has waited for longest")
	}
	wantClosedSoon(t, answeredReader)
	if !s.CloseIdle() {
		t.Fatal("got no connection closed, want the one on which nothing was said")
	}
	wantClosedSoon(t, silentReader)
	for until := time.Now().Add(10 * lookAgain); time.Now().Before(until); time.Sleep(lookAgain) {
		if s.CloseIdle() {
			t.Error("got a connection closed on which a request had begun, want none")
		}
	}
	send(t, again, get[1:])
	want(t, againReader, "/a")
	send(t, begun, get[4:])
	want(t, begunReader, "/a")
	close(goOn)
	want(t, busyReader, "/slow")
}
