package engine

import "sync"

// mailbox takes messages from any goroutine, without blocking, for the one
// that owns an attempt. A message is what that goroutine is to do.
type mailbox struct {
	mu    sync.Mutex
	queue []func()
	// filled has a token while there may be something in the queue.
	filled chan struct{}
}

func newMailbox() *mailbox { return &mailbox{filled: make(chan struct{}, 1)} }

func (m *mailbox) post(message func()) {
	m.mu.Lock()
	m.queue = append(m.queue, message)
	m.mu.Unlock()
	select {
	case m.filled <- struct{}{}:
	default:
	}
}

// deliver does what the messages so far say.
func (m *mailbox) deliver() {
	m.mu.Lock()
	messages := m.queue
	m.queue = nil
	m.mu.Unlock()
	for _, message := range messages {
		message()
	}
}
