package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

const clusterFile = `apiVersion: emco-chaos/v1
kind: LocalCluster
metadata: {name: counter}
spec:
  namespace: counter
  pods:
    - name: counter
      labels: {app: counter}
      command: [%[1]q, serve, --listen, %[2]q, --data, counters.txt%[3]s]
      ready: {http: "http://%[2]s/counters"}
      restartAfter: 500ms
`

const targetFile = `apiVersion: emco-chaos/v1
kind: Target
metadata: {name: counter}
spec:
  driver: {local: {cluster: cluster.yaml}}
  services:
    counter: {url: "http://%s", namespace: counter, labels: {app: counter}}
  # What only this plugin understands: its counters' names begin with this.
  settings:
    prefix: example
`

// writeCluster writes a cluster of one process, and the target that it is.
func writeCluster(folder string, forget bool) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// The port is free now, and most likely still is when it is used.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("find a free port: %w", err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	flags := ""
	if forget {
		flags = ", --forget"
	}
	for name, text := range map[string]string{
		"cluster.yaml": fmt.Sprintf(clusterFile, self, address, flags),
		"target.yaml":  fmt.Sprintf(targetFile, address),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Println("target:", filepath.Join(folder, "target.yaml"))
	return nil
}
