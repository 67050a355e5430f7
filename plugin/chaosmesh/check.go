package chaosmesh

import (
	"context"
	"fmt"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

var _ engine.Checker = (*Driver)(nil)

// Check says whether the object would be refused because of the pods that are
// there now. While one of them is on its way out it says nothing: Apply waits
// for its end.
func (d *Driver) Check(_ context.Context, object fault.Object) error {
	id := identify(object)
	ends, err := endsOf(object)
	if err == nil {
		err = d.inside(id, ends)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.leavingPod(ends) != nil {
		return nil
	}
	for _, end := range ends {
		if err := end.check(d.podsOf(end)); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}
