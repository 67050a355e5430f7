package host

import (
	"io"
	"sync"
)

// logLimit is how much a plugin may say on its standard error, in bytes.
const logLimit = 1 << 20

// log takes what a plugin says, up to a limit and until it is closed.
type log struct {
	mu      sync.Mutex
	out     io.Writer
	written int
	closed  bool
}

// Write never fails: a plugin that says too much is no reason to end it.
func (l *log) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil || l.closed || l.written > logLimit {
		return len(data), nil
	}
	_, _ = l.out.Write(data)
	if l.written += len(data); l.written > logLimit {
		_, _ = io.WriteString(l.out, "\nthe plugin says too much: the rest is dropped\n")
	}
	return len(data), nil
}

// close drops whatever comes later.
func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
