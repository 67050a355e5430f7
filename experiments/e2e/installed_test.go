package e2e

import "testing"

// TestInstalled is what one installation goes through: manifests that are none,
// users without rights, a run of a command line that is killed, Runs that are deleted, and
// the death of its own controller.
func TestInstalled(t *testing.T) {
	s := here(t)
	s.install(t, s.given())
	t.Run("definition", s.definition)
	t.Run("without rights", s.withoutRights)
	t.Run("rights", s.rights)
	t.Run("quota", s.quota)
	t.Run("killed command", s.killedCommand)
	t.Run("killed controller", s.killedController)
	t.Run("deleted", s.deleted)
	t.Run("map", s.mapped)
	t.Run("without EMCO", s.withoutEMCO)
}

// TestTenRuns creates ten Runs at once, and again while the controller dies five
// times.
func TestTenRuns(t *testing.T) {
	s := here(t)
	s.install(t, s.given())
	t.Run("in order", func(t *testing.T) { s.tenAtOnce(t, 0) })
	t.Run("killed", func(t *testing.T) { s.tenAtOnce(t, 5) })
	s.clean(t)
}
