package demo

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// control lets whoever keeps the demo running break and mend its vendors over HTTP:
//
//	POST /break?vendor=alpha&fault=hang
//	POST /mend?vendor=alpha
//	GET  /faults
type control struct {
	vendors []*vendor
	server  *http.Server
	url     string
	done    chan struct{}
}

// startControl listens on a free port of this machine's loopback.
func startControl(vendors []*vendor) (*control, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	c := &control{vendors: vendors, url: "http://" + l.Addr().String(), done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /break", c.breakVendor)
	mux.HandleFunc("POST /mend", c.mendVendor)
	mux.HandleFunc("GET /faults", c.listFaults)
	c.server = &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() {
		defer close(c.done)
		_ = c.server.Serve(l)
	}()
	return c, nil
}

func (c *control) stop() {
	_ = c.server.Close()
	<-c.done
}

func (c *control) breakVendor(w http.ResponseWriter, r *http.Request) {
	v, err := c.vendor(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	kind := r.FormValue("fault")
	if !slices.Contains(kinds(), kind) {
		http.Error(w, fmt.Sprintf("got fault %q, want one of those that GET /faults lists", kind), http.StatusBadRequest)
		return
	}
	if err := v.breakWith(kind); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%s is broken: %s\n", v.name, kind)
}

func (c *control) mendVendor(w http.ResponseWriter, r *http.Request) {
	v, err := c.vendor(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := v.mend(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%s is healthy\n", v.name)
}

func (*control) listFaults(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, strings.Join(kinds(), "\n"))
}

// kinds lists the faults a vendor can be given: those of the show, and all others.
func kinds() []string {
	var all []string
	for _, info := range fakeprovider.Faults() {
		all = append(all, info.Kind)
	}
	return all
}

func (c *control) vendor(r *http.Request) (*vendor, error) {
	name := r.FormValue("vendor")
	for _, v := range c.vendors {
		if v.name == name {
			return v, nil
		}
	}
	return nil, fmt.Errorf("got vendor %q, want %s or %s", name, c.vendors[0].name, c.vendors[1].name)
}
