package bug

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	set, err := Parse([]string{"lose-state", "never-terminates"})
	if err != nil {
		t.Fatal(err)
	}
	for service, want := range map[string][]string{
		"orchestrator": {"lose-state"}, "dcm": {"lose-state"}, "rsync": {"never-terminates"}, "clm": {},
	} {
		if got := set.Of(service).Names(); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", service, got, want)
		}
	}
	const want = `unknown bug "nope": use one of answers-after-kill, behind-after-kill-in-app-context, ` +
		`destroys-on-refused-delete-after-kill, ends-failed-after-kill-before-rsync, late-after-kill-before-rsync, ` +
		`leaks-cloud-after-kill-before-rsync, leaks-on-edge-after-kill-before-state, lose-state, ` +
		`never-deploys, never-ends-after-kill-before-state, never-terminates, opposite-fails-after-kill-before-rsync, ` +
		`stuck-after-kill-before-rsync, stuck-after-kill-in-re-instantiate, wedges, wrong-code-on-reissue`
	if _, err := Parse([]string{"nope"}); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// The windows of a service are what it carries, and each opens before it closes.
func TestWindows(t *testing.T) {
	t.Parallel()
	for name, window := range Windows() {
		own := Set{name: true}.Of(window.Service).Windows()
		if len(own) != 1 || own[name] != window {
			t.Errorf("%s has %v, want %s alone", window.Service, own, name)
		}
		if window.Opens >= window.Closes {
			t.Errorf("%s opens at %d and closes at %d", name, window.Opens, window.Closes)
		}
	}
	if others := (Set{LoseState: true, StuckBeforeRsync: false}).Windows(); len(others) != 0 {
		t.Errorf("windows %v, want none", others)
	}
}
