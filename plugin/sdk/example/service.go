package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// counters are the service: numbers that have names. What it has accepted is
// in the file before it answers, unless there is no file.
type counters struct {
	mu     sync.Mutex
	values map[string]int
	file   *os.File
}

// serve serves counters until the process ends.
func serve(address, file string) error {
	sdk.HoldLifeline()
	c := &counters{values: map[string]int{}}
	if file != "" {
		if err := c.read(file); err != nil {
			return fmt.Errorf("read the counters: %w", err)
		}
	}
	return http.ListenAndServe(address, c.routes())
}

// read reads a file in which each line has a name and its new value, -1 for
// none, and goes on writing there.
func (c *counters) read(file string) error {
	data, err := os.Open(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		defer data.Close()
		for lines := bufio.NewScanner(data); lines.Scan(); {
			var name string
			var value int
			// A line that was cut off was never answered.
			if n, _ := fmt.Sscanf(lines.Text(), "%s %d", &name, &value); n == 2 {
				c.set(name, value)
			}
		}
	}
	c.file, err = os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

func (c *counters) set(name string, value int) {
	if value < 0 {
		delete(c.values, name)
		return
	}
	c.values[name] = value
}

// keep sets a value, once the file has it.
func (c *counters) keep(name string, value int) error {
	if c.file != nil {
		if _, err := fmt.Fprintf(c.file, "%s %d\n", name, value); err != nil {
			return err
		}
		if err := c.file.Sync(); err != nil {
			return err
		}
	}
	c.set(name, value)
	return nil
}

func (c *counters) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /counters", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for name, value := range c.values {
			fmt.Fprintf(w, "%s %d\n", name, value)
		}
	})
	routes.HandleFunc("GET /counters/{name}", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		value, known := c.values[r.PathValue("name")]
		if !known {
			http.Error(w, "there is no such counter", http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, value)
	})
	routes.HandleFunc("PUT /counters/{name}", func(w http.ResponseWriter, r *http.Request) {
		var value int
		if n, _ := fmt.Fscan(r.Body, &value); n != 1 || value < 0 {
			http.Error(w, "write a number of zero or more", http.StatusBadRequest)
			return
		}
		c.change(w, r, func(int, bool) (int, int) { return value, http.StatusCreated })
	})
	routes.HandleFunc("POST /counters/{name}/add", func(w http.ResponseWriter, r *http.Request) {
		c.change(w, r, func(old int, known bool) (int, int) {
			if !known {
				return -1, http.StatusNotFound
			}
			return old + 1, http.StatusOK
		})
	})
	routes.HandleFunc("DELETE /counters/{name}", func(w http.ResponseWriter, r *http.Request) {
		c.change(w, r, func(_ int, known bool) (int, int) {
			if !known {
				return -1, http.StatusNotFound
			}
			return -1, http.StatusOK
		})
	})
	return routes
}

// change makes of a counter's value the one that to says, and answers with
// its code.
func (c *counters) change(w http.ResponseWriter, r *http.Request, to func(old int, known bool) (value, code int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := r.PathValue("name")
	old, known := c.values[name]
	value, code := to(old, known)
	if code >= http.StatusBadRequest {
		http.Error(w, "there is no such counter", code)
		return
	}
	if err := c.keep(name, value); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(code)
	fmt.Fprintln(w, value)
}
