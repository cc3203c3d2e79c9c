package fakeprovider

// Pause keeps streams from going on after their first content, those that run included, or lets them go on. Where a test
// needs a stream that runs for as long as something takes, no guess of how long that is has to be made.
func (s *Server) Pause(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case on && s.paused == nil:
		s.paused = make(chan struct{})
	case !on && s.paused != nil:
		close(s.paused)
		s.paused = nil
	}
}

// pass waits while the server is paused, and reports whether the stream is still wanted.
func (x *exchange) pass() bool {
	x.s.mu.Lock()
	paused := x.s.paused
	x.s.mu.Unlock()
	if paused == nil {
		return true
	}
	select {
	case <-paused:
		return true
	case <-x.r.Context().Done():
	case <-x.s.closing:
	}
	return false
}
