package fakeprovider

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

// Seen is one request as the server saw it.
type Seen struct {
	Time      time.Time // when its headers had arrived
	Method    string
	Path      string
	Query     string
	Header    http.Header
	Proto     string // "HTTP/1.1", "HTTP/2.0"
	Conn      int    // number of the connection, from 1; 0 when the server did not open the listener itself
	ConnTurn  int    // how many requests that connection had carried, this one included
	Body      []byte // nil when a fault struck before it was read
	Model     string // as sent, markers included
	Stream    bool
	Status    int       // 0 until a status was sent, and when none ever was
	Fault     string    // kind of the fault applied, "" for none
	Refused   string    // the vendor's complaint about the request, "" when it was in order
	Sent      int64     // bytes of the answer's body written so far
	Done      time.Time // when the server was through with it; zero while it is open
	Cancelled time.Time // when the client left before the answer was whole; zero when it did not
}

// journal keeps the last requests.
type journal struct {
	mu    sync.Mutex
	keep  int
	count int
	open  int // streams being answered
	seen  []*Seen
}

func (j *journal) add(s *Seen) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count++
	if j.keep <= 0 {
		return
	}
	if len(j.seen) >= j.keep {
		j.seen = append(j.seen[:0], j.seen[len(j.seen)-j.keep/2:]...)
	}
	j.seen = append(j.seen, s)
}

// note changes an entry under the journal's lock.
func (j *journal) note(s *Seen, change func(*Seen)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(s)
}

func (j *journal) addOpen(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open += n
}

// Requests returns the requests seen so far, oldest first: all, or at least the last Options.Keep/2.
func (s *Server) Requests() []Seen {
	j := &s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Seen, len(j.seen))
	for i, e := range j.seen {
		out[i] = *e
		out[i].Header = e.Header.Clone()
		out[i].Body = bytes.Clone(e.Body)
	}
	return out
}

// Last returns the newest request; its Time is zero when there was none.
func (s *Server) Last() Seen {
	all := s.Requests()
	if len(all) == 0 {
		return Seen{}
	}
	return all[len(all)-1]
}

// Count returns how many requests have been seen, forgotten ones included.
func (s *Server) Count() int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.count
}

// OpenStreams returns how many streaming answers are being written now.
func (s *Server) OpenStreams() int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.open
}

// Forget empties the journal.
func (s *Server) Forget() {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	s.journal.seen, s.journal.count = nil, 0
}
