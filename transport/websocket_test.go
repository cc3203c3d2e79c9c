package transport

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestRefusedUpgrade: the connection of an upgrade that was refused serves nothing else, and is closed.
func TestRefusedUpgrade(t *testing.T) {
	closed := make(chan struct{}, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusUnauthorized)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	s.Start()
	defer s.Close()
	conn, resp, err := newTransport(t, Options{}).Upgrade(t.Context(), Request{Provider: local("bearer"), URL: s.URL}, nil)
	if conn != nil || err != nil || resp.Status != http.StatusUnauthorized {
		t.Fatalf("got %v, %+v, %v, want 401", conn, resp, err)
	}
	resp.Body.Close()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("got the connection left open, want it closed")
	}
}
