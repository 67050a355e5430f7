package chaosmesh

import (
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// unreached are the ways in which a kubeconfig keeps its user from the API server,
// by what client-go says then.
var unreached = []struct{ says, means, remedy string }{
	{
		"getting credentials: exec", "the kubeconfig has its credentials from a program that does not give them",
		"install the program that users: exec: command: of the kubeconfig names, on PATH; or use a kubeconfig with a token or a certificate",
	},
	{
		"proxyconnect", "the proxy on the way to the API server does not answer",
		"correct proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY",
	},
	{
		"certificate signed by unknown authority", "the API server is not the one that the kubeconfig trusts",
		"correct server and certificate-authority-data in the kubeconfig",
	},
}

// Unreached says why the API server could not be asked, and what mends that. The
// remedy is empty for a cause that is not known.
func Unreached(err error) (message, remedy string) {
	text := document.OneLine(err.Error(), 400)
	for _, way := range unreached {
		if strings.Contains(text, way.says) {
			return way.means + ": " + text, way.remedy
		}
	}
	return "the API server does not answer: " + text, ""
}
