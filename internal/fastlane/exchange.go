package fastlane

import (
	"net/http"
	"net/url"
	"time"
)

// exchange is a request and the answer to it. It is made anew for each, since a handler may keep what
// it is given.
type exchange struct {
	c        *conn
	url      url.URL
	life     life
	body     body
	answer   response
	watching watching
}

// answer has a request answered, and reports whether another may follow.
func (c *conn) answer(h head) bool {
	x := &exchange{c: c, url: h.url}
	x.life.c = c
	r := (&http.Request{
		Method: h.method, URL: &x.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header, Body: http.NoBody, ContentLength: h.length, Close: h.close, Host: h.host,
		RemoteAddr: c.remote, RequestURI: h.target,
	}).WithContext(&x.life)
	if h.length > 0 {
		x.body.x, x.body.left = x, h.length
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
