package chaosmesh

import (
	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// Scheme makes a scheme that knows the kinds of Chaos Mesh and of Kubernetes
// itself.
func Scheme() *runtime.Scheme {
	known := runtime.NewScheme()
	// Registering fails for a kind that is registered twice only.
	utilruntime.Must(scheme.AddToScheme(known))
	utilruntime.Must(v1alpha1.AddToScheme(known))
	return known
}
