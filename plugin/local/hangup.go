package local

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// The events of poll(2) after the other end of a connection has closed it, or
// has reset it.
const (
	reset  = unix.POLLHUP | unix.POLLERR
	hangup = unix.POLLRDHUP | reset
)

// awaitHangup returns true when the other end of a connection has closed it,
// read or not, and false when the read deadline has passed. It reads nothing.
func awaitHangup(connection *net.TCPConn) bool {
	raw, err := connection.SyscallConn()
	if err == nil {
		// The function is called again whenever something comes in, an end
		// included.
		err = raw.Read(func(descriptor uintptr) bool { return polls(descriptor, hangup) })
	}
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// hungUp reports whether the other end of a connection has closed it. Once its
// end has been read, only a reset counts.
func hungUp(connection *net.TCPConn, endRead bool) bool {
	var events int16 = hangup
	if endRead {
		events = reset
	}
	hung := true
	raw, err := connection.SyscallConn()
	if err == nil {
		_ = raw.Control(func(descriptor uintptr) {
			// What came in while somebody was reading is taken in only by the
			// next call that reads.
			_, _, _ = unix.Recvfrom(int(descriptor), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
			hung = polls(descriptor, events)
		})
	}
	return hung
}

func polls(descriptor uintptr, events int16) bool {
	poll := []unix.PollFd{{Fd: int32(descriptor), Events: events}}
	_, err := unix.Poll(poll, 0)
	for err == unix.EINTR {
		_, err = unix.Poll(poll, 0)
	}
	return err != nil || poll[0].Revents&(events|unix.POLLNVAL) != 0
}
