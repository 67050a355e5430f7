package local_test

import (
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/engine/drivertest"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) drivertest.System { return localtest.System(t, nil) })
}
