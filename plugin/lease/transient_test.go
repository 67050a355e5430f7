package lease_test

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

func TestTransient(t *testing.T) {
	leases := schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"out of reach":   {fmt.Errorf("renew: %w", &url.Error{Op: "Put", URL: "https://x", Err: io.EOF}), true},
		"busy":           {apierrors.NewTooManyRequests("slow down", 1), true},
		"its own fault":  {apierrors.NewInternalError(errors.New("etcd has no leader")), true},
		"not serving":    {apierrors.NewServiceUnavailable("starting"), true},
		"no right":       {fmt.Errorf("renew: %w", apierrors.NewForbidden(leases, "emco-chaos", nil)), false},
		"no such place":  {apierrors.NewNotFound(leases, "emco-chaos"), false},
		"held":           {&lease.HeldError{State: lease.State{Holder: "alice"}}, false},
		"something else": {errors.New("no namespace"), false},
		"nothing":        {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lease.Transient(test.err); got != test.want {
				t.Errorf("transient: %v", got)
			}
		})
	}
}
