package local

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// reserve binds a socket to an address without listening. Connections to it
// are refused, none of the kernel's own choice has it as its near end, and Go's
// listeners, which share addresses, can listen there.
func reserve(address string) (*os.File, error) {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	family := unix.AF_INET6
	var place unix.Sockaddr = &unix.SockaddrInet6{Port: at.Port, Addr: [16]byte(at.IP.To16())}
	if four := at.IP.To4(); four != nil {
		family = unix.AF_INET
		place = &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(four)}
	}
	descriptor, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(descriptor), address)
	err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(descriptor, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	if err = errors.Join(err, os.NewSyscallError("bind", unix.Bind(descriptor, place))); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
