// Command emco-chaos-plugin-emco is the plugin for EMCO: the experiments and
// the probes behind the contract of package sdk. emco-chaos starts it.
package main

import "github.com/emco-chaos/emco-chaos/plugin/sdk"

func main() { sdk.Serve(plugin{}) }
