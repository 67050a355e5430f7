package local

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reserve binds a socket to an address without listening. Connections to it
// are refused, nobody else can take it, and listen can.
func reserve(address string) (*os.File, error) {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	family := unix.AF_INET6
	var place unix.Sockaddr
	if four := at.IP.To4(); four != nil {
		family = unix.AF_INET
		place = &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(four)}
	} else {
		place = &unix.SockaddrInet6{Port: at.Port, Addr: [16]byte(at.IP.To16())}
	}
	descriptor, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(descriptor), address)
	if err := errors.Join(shared(uintptr(descriptor)), os.NewSyscallError("bind", unix.Bind(descriptor, place))); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// listen listens on an address that was reserved.
func listen(address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(descriptor uintptr) { err = shared(descriptor) }), err)
	}}
	return config.Listen(context.Background(), "tcp", address)
}

func shared(descriptor uintptr) error {
	return os.NewSyscallError("setsockopt", errors.Join(
		unix.SetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
	))
}
