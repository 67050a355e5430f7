package e2e

import "testing"

// TestInstalled is what one installation goes through: strangers, a run of a
// command line that is killed, and the death of its own controller.
func TestInstalled(t *testing.T) {
	s := here(t)
	s.install(t, s.given())
	t.Run("stranger", s.stranger)
	t.Run("killed command", s.killedCommand)
	t.Run("killed controller", s.killedController)
}
