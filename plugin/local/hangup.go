package local

import (
	"net"

	"golang.org/x/sys/unix"
)

// awaitHangup returns true when the other end of a connection has closed it,
// whatever still waits to be read, and false when the connection's read
// deadline has passed. It reads nothing.
func awaitHangup(connection *net.TCPConn) bool {
	raw, err := connection.SyscallConn()
	if err != nil {
		return true
	}
	hung := false
	// The function is called again whenever something comes in, an end
	// included.
	err = raw.Read(func(descriptor uintptr) bool {
		hung = polls(descriptor, unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR)
		return hung
	})
	if hung {
		return true
	}
	timeout, ok := err.(net.Error)
	return !ok || !timeout.Timeout()
}

// hungUp says whether the other end of a connection has closed it. After the
// end of what it sends has been read, only a reset counts.
func hungUp(connection *net.TCPConn, endRead bool) bool {
	events := unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR
	if endRead {
		events = unix.POLLHUP | unix.POLLERR
	}
	raw, err := connection.SyscallConn()
	if err != nil {
		return true
	}
	hung := false
	err = raw.Control(func(descriptor uintptr) {
		// What came in while somebody was reading is taken in only by the
		// next call that reads.
		_, _, _ = unix.Recvfrom(int(descriptor), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		hung = polls(descriptor, int16(events))
	})
	return hung || err != nil
}

func polls(descriptor uintptr, events int16) bool {
	poll := []unix.PollFd{{Fd: int32(descriptor), Events: events}}
	for {
		_, err := unix.Poll(poll, 0)
		if err == unix.EINTR {
			continue
		}
		return err != nil || poll[0].Revents&(events|unix.POLLNVAL) != 0
	}
}
