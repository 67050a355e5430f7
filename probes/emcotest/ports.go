package emcotest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"
)

// Ports is a range of ports to pick from. Linux gives none of its outgoing connections a port of the ranges below.
type Ports struct{ Lowest, Highest int }

// The ranges are apart, because what is picked for a cluster's files is not listened on at once.
var (
	OwnPorts     = Ports{10000, 19999} // for services in one process
	ClusterPorts = Ports{20000, 31999} // for the files of a cluster
)

const ephemeralFile = "/proc/sys/net/ipv4/ip_local_port_range"

// FreeAddresses returns addresses on loopback whose ports are free, and are not given to outgoing connections, so that
// they stay free while the services that listen on them are down.
func (p Ports) FreeAddresses(count int) ([]string, error) {
	ports, err := p.free(count, nil)
	return onLoopback(ports), err
}

// free picks ports that are free and that nobody has claimed.
func (p Ports) free(count int, claimed map[int]time.Time) ([]int, error) {
	lowest, highest := ephemeral()
	var ports []int
	size := p.Highest - p.Lowest + 1
	first := rand.IntN(size)
	for i := range size {
		port := p.Lowest + (first+i)%size
		if _, taken := claimed[port]; taken || port >= lowest && port <= highest {
			continue
		}
		listener, err := net.Listen("tcp", onLoopback([]int{port})[0])
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return nil, err
		}
		if ports = append(ports, port); len(ports) == count {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("there are not %d free ports between %d and %d", count, p.Lowest, p.Highest)
}

func onLoopback(ports []int) []string {
	addresses := make([]string, len(ports))
	for i, port := range ports {
		addresses[i] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	return addresses
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
