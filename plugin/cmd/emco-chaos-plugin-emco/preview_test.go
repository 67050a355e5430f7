package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// notes keeps what a preview tells, and whether it tells of something made.
type notes struct {
	texts  []string
	events []string
	made   int
}

func (n *notes) Event(name string, _ time.Time, _ map[string]string) {
	n.events = append(n.events, name)
}
func (n *notes) Note(_ time.Time, text string) { n.texts = append(n.texts, text) }
func (n *notes) Resource(sdk.Resource)         { n.made++ }

func TestPreview(t *testing.T) {
	tests := []struct {
		name    string
		given   map[string]any
		first   string
		last    string
		count   int
		message []string
		absent  string
	}{
		{
			"a group", map[string]any{"logicalCloud": "Instantiated", "dig": "Approved"},
			"projects/run-1 (project)", "deployment-intent-groups/run-1-dig/intents/run-1-intent", 17,
			[]string{"dig Approved", "on the edge: run-1-adservice, run-1-currencyservice", "rsync"}, "",
		},
		{
			"a logical cloud", map[string]any{"logicalCloud": "Created"},
			"projects/run-1 (project)", "cluster-references/run-1-reference", 6,
			[]string{"logicalCloud Created"}, "edge:",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			seen := &notes{}
			// The target of EMCO's chart lies nowhere: nothing can be asked.
			result := (&plugin{}).Run(t.Context(), sdk.Task{Run: "run", Attempt: 1, Activity: previewName, Arguments: map[string]any{"given": test.given}}, seen)
			if result.Conclusion != sdk.Passed || seen.made != 0 {
				t.Fatalf("got %+v, %d resources made", result, seen.made)
			}
			if len(seen.texts) != test.count || seen.texts[0] != test.first || !strings.Contains(seen.texts[len(seen.texts)-1], test.last) {
				t.Errorf("got %d:\n%s", len(seen.texts), strings.Join(seen.texts, "\n"))
			}
			for _, text := range test.message {
				if !strings.Contains(result.Message, text) {
					t.Errorf("%q does not say %q", result.Message, text)
				}
			}
			if test.absent != "" && strings.Contains(result.Message, test.absent) {
				t.Errorf("%q says %q", result.Message, test.absent)
			}
		})
	}
}

func TestPreviewTellsOfAWrongGiven(t *testing.T) {
	result := (&plugin{}).Run(t.Context(), sdk.Task{Run: "run", Attempt: 1, Activity: previewName, Arguments: map[string]any{"given": map[string]any{"dig": 1}}}, &notes{})
	if result.Conclusion != sdk.Errored || !strings.Contains(result.Message, "dig") {
		t.Errorf("got %+v", result)
	}
}

func TestPreviewIsDescribed(t *testing.T) {
	description, err := (&plugin{}).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(description.Activities, func(a sdk.Activity) bool { return a.Name == previewName })
	if at < 0 || len(description.Activities[at].Arguments) != 1 || description.Activities[at].Arguments[0].Name != "given" {
		t.Errorf("got %+v", description.Activities)
	}
}
