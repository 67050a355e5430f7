package host

import (
	"io"
	"sync"
)

// logLimit bounds what a plugin may log, in bytes.
const logLimit = 1 << 20

// log passes on what a plugin logs, up to a limit and until it is closed.
type log struct {
	mu      sync.Mutex
	out     io.Writer // nil once it is closed
	written int
}

// Write never fails: a plugin that logs too much is not ended for it.
func (l *log) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil || l.written > logLimit {
		return len(data), nil
	}
	_, _ = l.out.Write(data)
	if l.written += len(data); l.written > logLimit {
		_, _ = io.WriteString(l.out, "\nthe plugin logs too much: the rest is dropped\n")
	}
	return len(data), nil
}

func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = nil
}
