package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
)

// durable has requests wait until a record of each is on the disk, and then handles them: the least that anybody
// does who writes down what may cost money before it goes out. Those that come while the disk is busy share the next
// flush.
func durable(next http.Handler) (http.Handler, error) {
	file, err := os.CreateTemp("", "understudy-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a journal: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil { // it ends with the process
		return nil, fmt.Errorf("make a journal: %w", err)
	}
	_, err = file.Write(make([]byte, journalSize)) // so that its size does not change later
	if err := errors.Join(err, file.Sync()); err != nil {
		return nil, fmt.Errorf("make a journal: %w", err)
	}
	j := &commits{file: file}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := j.wait(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

const journalSize = 8 << 20

var record [200]byte // what understudy writes down for an attempt, about

// commits makes records durable, in groups.
type commits struct {
	mu      sync.Mutex
	pending []byte
	group   *commit // of pending
	writing sync.Mutex
	file    *os.File
	at      int64
}

type commit struct {
	done chan struct{}
	err  error
}

// wait adds a record and returns when it is durable. The first of a group writes for all, as soon as the disk is free.
func (c *commits) wait() error {
	c.mu.Lock()
	leads := c.group == nil
	if leads {
		c.group = &commit{done: make(chan struct{})}
	}
	g := c.group
	c.pending = append(c.pending, record[:]...)
	c.mu.Unlock()
	if leads {
		c.writing.Lock()
		g.err = c.write()
		c.writing.Unlock()
		close(g.done)
	}
	<-g.done
	return g.err
}

func (c *commits) write() error {
	c.mu.Lock()
	records := c.pending
	c.pending, c.group = nil, nil
	c.mu.Unlock()
	if c.at+int64(len(records)) > journalSize {
		c.at = 0
	}
	_, err := c.file.WriteAt(records, c.at)
	c.at += int64(len(records))
	return errors.Join(err, flush(c.file))
}
