// Command certificates prints the certificate authorities that the image has,
// for the Dockerfile.
package main

import (
	"fmt"
	"os"

	"github.com/emco-chaos/emco-chaos/plugin/image"
)

func main() {
	if _, err := os.Stdout.Write(image.Authorities()); err != nil {
		fmt.Fprintf(os.Stderr, "print the certificate authorities: %v\n", err)
		os.Exit(1)
	}
}
