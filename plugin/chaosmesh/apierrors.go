package chaosmesh

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Resources that the driver uses, as a role names them.
const (
	pods           = "pods"
	endpointSlices = "endpointslices.discovery.k8s.io"
	// podNetworkChaos is what Chaos Mesh keeps for each pod.
	podNetworkChaos = "podnetworkchaos.chaos-mesh.org"
)

func resource(kind string) string { return strings.ToLower(kind) + "." + fault.Group }

// explain says what an error of the API server means for the user.
func explain(err error, verb, resource, namespace string) error {
	doing := fmt.Sprintf("%s %s in namespace %s", verb, resource, namespace)
	switch {
	case err == nil:
		return nil
	case fromWebhook(err):
		// Chaos Mesh's own web hook, which may forbid too, says why itself.
	case strings.Contains(err.Error(), "failed calling webhook"):
		return fmt.Errorf("%s: %w; Chaos Mesh's chaos-controller-manager, which the API server asks, does not answer: is it running? (emco-chaos doctor)", doing, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s is not allowed: the role needs the verb %s on %s; emco-chaos doctor lists every right that is needed: %w", doing, verb, resource, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: the cluster does not accept the credentials of the kubeconfig or service account: %w", doing, err)
	case meta.IsNoMatchError(err), isNoResource(err):
		return fmt.Errorf("%s: the cluster does not know %s: is Chaos Mesh installed? (emco-chaos doctor): %w", doing, resource, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isGone reports whether an object is not there, of a resource that is.
func isGone(err error) bool { return apierrors.IsNotFound(err) && !isNoResource(err) }

func isNoResource(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == ""
}

func fromWebhook(err error) bool {
	return err != nil && strings.Contains(err.Error(), "admission webhook") && strings.Contains(err.Error(), "denied the request")
}

// final reports whether a request that failed would fail alike if it were made again.
func final(err error) bool {
	return fromWebhook(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) ||
		apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || meta.IsNoMatchError(err) || isNoResource(err)
}

// uncertain reports whether a request that failed may have been done all the
// same: there was no answer, or it was given without knowing.
func uncertain(err error) bool {
	_, answered := errors.AsType[*apierrors.StatusError](err)
	return !answered || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsInternalError(err)
}

// unreached are ways in which a kubeconfig keeps us from the API server, by what client-go says.
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

// Unreached says why the API server could not be asked, and what mends that if it is known.
func Unreached(err error) (message, remedy string) {
	text := document.OneLine(err.Error(), 400)
	for _, way := range unreached {
		if strings.Contains(text, way.says) {
			return way.means + ": " + text, way.remedy
		}
	}
	return "the API server does not answer: " + text, ""
}
