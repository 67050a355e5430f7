package emcotest

import (
	"net"
	"slices"
	"strconv"
	"testing"
)

func TestFreeAddresses(t *testing.T) {
	t.Parallel()
	addresses, err := ClusterPorts.FreeAddresses(50)
	if err != nil {
		t.Fatal(err)
	}
	if len(addresses) != 50 {
		t.Errorf("%d addresses, want 50", len(addresses))
	}
	lowest, highest := ephemeral()
	for i, address := range addresses {
		_, text, _ := net.SplitHostPort(address)
		port, err := strconv.Atoi(text)
		if err != nil || port < ClusterPorts.Lowest || port > ClusterPorts.Highest || port >= lowest && port <= highest {
			t.Errorf("address %s: not in the range", address)
		}
		if slices.Contains(addresses[:i], address) {
			t.Errorf("address %s: twice", address)
		}
	}
}
