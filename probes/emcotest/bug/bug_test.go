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
	const want = `unknown bug "nope": use one of answers-after-kill, lose-state, never-terminates, wedges, wrong-code-on-reissue`
	if _, err := Parse([]string{"nope"}); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
