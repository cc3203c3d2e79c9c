package fastlane

import (
	"net/http"
	"time"
)

// exchange is a request and the answer to it. It is made anew for each, since a handler may keep what
// it is given.
type exchange struct {
	c        *conn
	head     head
	life     life
	body     body
	answer   response
	watching watching
}

// answer has a request answered, and reports whether another may follow.
func (c *conn) answer(x *exchange) bool {
	x.life.c = c
	r := &x.head.request
	*r = *r.WithContext(&x.life)
	r.Proto, r.ProtoMajor, r.ProtoMinor, r.RemoteAddr, r.Body = "HTTP/1.1", 1, 1, c.remote, http.NoBody
	if r.ContentLength > 0 {
		x.body.x, x.body.left = x, r.ContentLength
		r.Body = &x.body
	} else {
		x.watching.bodyOver = true
	}
	x.answer.begin(x, r)
	c.running = x
	c.reads.set(time.Time{}) // the handler says how long a body may take
	c.s.watch.enter(x)
	c.s.HTTP.Handler.ServeHTTP(&x.answer, r)
	x.life.end()
	x.answer.finish()
	c.s.watch.leave(x)
	_ = x.body.Close() // what it could not read to the end closes the connection
	c.running = nil
	c.writes.set(time.Time{})
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll() // files that are left over are the system's to remove
	}
	if x.answer.mayFollow() {
		return true
	}
	if x.answer.tooMuch || x.body.early {
		c.closeGently()
	}
	return false
}

// abandon ends an exchange whose handler has panicked.
func (x *exchange) abandon() {
	x.life.end()
	x.answer.over = true
	x.c.s.watch.leave(x)
	_ = x.body.Close() // the connection is closed next
}
