package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// The range that ports are picked from. It lies below the ports that Linux gives to outgoing connections.
const (
	lowestPort  = 20000
	highestPort = 32000
)

const ephemeralFile = "/proc/sys/net/ipv4/ip_local_port_range"

// pickPorts returns addresses on loopback whose ports are free, and are not given to outgoing connections, so that
// they stay free while the services that listen on them are down.
func pickPorts(count int) ([]string, error) {
	lowest, highest := ephemeral()
	var addresses []string
	port := lowestPort + rand.IntN(highestPort-lowestPort) //nolint:gosec // no secret
	for range highestPort - lowestPort {
		if port++; port > highestPort {
			port = lowestPort
		}
		if port >= lowest && port <= highest {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return nil, err
		}
		if addresses = append(addresses, address); len(addresses) == count {
			return addresses, nil
		}
	}
	return nil, errors.New("no free ports between " + strconv.Itoa(lowestPort) + " and " + strconv.Itoa(highestPort))
}

// ephemeral is the range of ports of outgoing connections; empty where there is no telling.
func ephemeral() (lowest, highest int) {
	content, err := os.ReadFile(ephemeralFile)
	if err != nil {
		return 0, 0
	}
	if _, err := fmt.Sscan(string(content), &lowest, &highest); err != nil {
		return 0, 0
	}
	return lowest, highest
}
