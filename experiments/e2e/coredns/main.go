// Command coredns is the DNS of the end-to-end cluster: CoreDNS with the few
// plugins that resolving the names of Services takes.
package main

import (
	"fmt"
	"os"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	// The plugins of a server run in this order, whatever the order in its file.
	if err := dnsserver.SetDirectives([]string{"ready", "errors", "cache", "kubernetes"}); err != nil {
		fmt.Fprintln(os.Stderr, "coredns: order the plugins:", err)
		os.Exit(1)
	}
	coremain.Run()
}
