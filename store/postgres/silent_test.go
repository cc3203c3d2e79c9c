package postgres

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// TestSilentServer asks a server that takes connections and says nothing: whoever has little time does not wait for those who have more.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts: the system does
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@"+l.Addr().String()+"/none?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	d := &DB{pool: pool, schema: "any", preparing: make(chan struct{}, 1)}
	long, end := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- d.prepare(long) }()
	for len(d.preparing) == 0 {
		time.Sleep(time.Millisecond)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := d.prepare(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want no more time", err)
	}
	select {
	case err := <-over:
		t.Errorf("got %v of the other one, want it to go on", err)
	default:
	}
	end()
	if err := <-over; err == nil {
		t.Error("got no error of the other one, want one")
	}
}
