package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// link accepts the connections of one pod and passes them on. It refuses
// while the pod that it leads to does not answer, as that pod itself would.
type link struct {
	Link
	from *pod
	// to is nil when the link leads outside.
	to *pod

	ctx  context.Context
	stop context.CancelFunc
	work *sync.WaitGroup
	// reservation keeps the address while nothing listens there.
	reservation *os.File

	mu          sync.Mutex
	listener    net.Listener
	connections map[*connection]struct{}
	effects     map[*applied]effect
	traffic     traffic
	// orphaned says that the pod's process ended while the link was held and
	// no new one is there: what is still accepted came from the dead one.
	orphaned bool
}

// effect is what one fault does to a link.
type effect struct {
	traffic traffic
	// on has the pods that the fault selected, with the number of the process
	// that it acts on. A later process of the pod is free of it.
	on map[*pod]int
}

// newLink reserves the link's address.
func newLink(description Link, from, to *pod, work *sync.WaitGroup) (*link, error) {
	reservation, err := reserve(description.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen at %s for the link %s: %w", description.Listen, description, err)
	}
	l := &link{
		Link: description, from: from, to: to, work: work, reservation: reservation,
		connections: map[*connection]struct{}{},
		effects:     map[*applied]effect{},
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l, nil
}

// open accepts connections from here on.
func (l *link) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		return nil
	}
	listener, err := listen(l.Listen)
	if err != nil {
		return fmt.Errorf("listen at %s for the link %s: %w", l.Listen, l, err)
	}
	l.listener = listener
	l.work.Go(func() { l.accept(listener) })
	return nil
}

// refuse refuses connections from here on. Those that are there stay.
func (l *link) refuse() {
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
}

// close ends the link and its connections.
func (l *link) close() {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse()
	for connection := range l.connections {
		connection.close()
	}
	l.reservation.Close()
}

func (l *link) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // such as too many open files
			case <-l.ctx.Done():
				return
			case <-time.After(askEvery):
			}
			continue
		}
		l.mu.Lock()
		if l.orphaned || l.listener != listener {
			l.mu.Unlock()
			client.Close()
			continue
		}
		connection := newConnection(client.(*net.TCPConn), l.traffic)
		l.connections[connection] = struct{}{}
		l.mu.Unlock()
		l.work.Go(func() {
			connection.serve(l.ctx, l.Connect)
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.connections, connection)
		})
	}
}

// put puts a fault on the link. Once it has returned nothing passes that the
// fault holds. It says how many connections there are.
func (l *link) put(fault *applied, effect effect) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.effects[fault] = effect
	l.update()
	return len(l.connections)
}

// lift takes a fault off the link, and says whether it was there. What was
// held goes on, if both of its ends live.
func (l *link) lift(fault *applied) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.effects[fault]; !there {
		return false
	}
	delete(l.effects, fault)
	l.update()
	return true
}

func (l *link) update() {
	var sum traffic
	for _, effect := range l.effects {
		sum = sum.plus(effect.traffic)
	}
	l.traffic = sum
	for connection := range l.connections {
		connection.set(sum)
	}
}

// doomHeld lets nothing of what is held pass any more.
func (l *link) doomHeld() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.traffic.held() {
		return
	}
	for connection := range l.connections {
		connection.doom()
	}
}

// dropHeld drops the connections of a link that is held.
func (l *link) dropHeld() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

func (l *link) drop() {
	if !l.traffic.held() {
		return
	}
	for connection := range l.connections {
		connection.close()
	}
}

// outlived is called when a process at one of the link's ends has ended: what
// is held of it never arrives. It returns the faults that hold the link.
func (l *link) outlived(p *pod) (holders []*applied) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p == l.to {
		l.refuse()
	}
	if !l.traffic.held() {
		return nil
	}
	l.drop()
	l.orphaned = l.orphaned || p == l.from
	for fault, effect := range l.effects {
		if effect.traffic.held() {
			holders = append(holders, fault)
		}
	}
	return holders
}

const flushLimit = time.Second

// flush makes sure that no connection of an ended process waits to be
// accepted: connections are accepted in their order, and one of our own comes
// after all of them.
func (l *link) flush(ctx context.Context) {
	l.mu.Lock()
	needed := l.orphaned && l.listener != nil
	l.mu.Unlock()
	if !needed {
		return
	}
	dialer := net.Dialer{Timeout: flushLimit}
	last, err := dialer.DialContext(ctx, "tcp", l.Listen)
	if err != nil {
		return
	}
	defer last.Close()
	_ = last.SetDeadline(time.Now().Add(flushLimit))
	_, _ = last.Read(make([]byte, 1)) // its turn is when it is closed
}

// replaced is called before a pod at one of the link's ends gets a new
// process. It takes off the faults that acted on an earlier one and returns
// them.
func (l *link) replaced(p *pod, number int) []*applied {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p == l.from {
		l.orphaned = false
	}
	var lifted []*applied
	for fault, effect := range l.effects {
		if on, selected := effect.on[p]; selected && on < number {
			lifted = append(lifted, fault)
			delete(l.effects, fault)
		}
	}
	if len(lifted) > 0 {
		l.update()
	}
	return lifted
}
