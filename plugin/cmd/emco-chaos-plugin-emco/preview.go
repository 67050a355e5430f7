package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// previewName names the activity that takes what ensure takes, and reports
// what ensure would make. No experiment can name it.
const previewName = "preview"

func previewOf(activities []sdk.Activity) sdk.Activity {
	preview := activities[slices.IndexFunc(activities, func(activity sdk.Activity) bool { return activity.Name == "ensure" })]
	preview.Name, preview.Summary = previewName, "tells which resources ensure would make, and makes nothing"
	return preview
}

// preview reports what a run would make, in its order. It asks EMCO nothing.
func preview(on probes.Subject, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	observer.Event("started", time.Now(), nil)
	states, _ := task.Arguments["given"].(map[string]any)
	given, err := emco.ParseGiven(states)
	if err != nil {
		return sdk.Result{}, err
	}
	made := 0
	for _, resource := range on.Names.All(emco.Material{Apps: on.Setup.Apps}) {
		if given.Includes(resource) {
			made++
			observer.Note(time.Now(), fmt.Sprintf("%s (%s)", resource.Anchor, resource.Kind))
		}
	}
	message := fmt.Sprintf("%d resources, brought to: %s", made, given)
	var objects []string
	for number := 1; number <= emco.Groups; number++ {
		for _, app := range on.Setup.Apps {
			if given.Group(number) != emco.Absent {
				objects = append(objects, on.Names.Group(number).Object(app))
			}
		}
	}
	if len(objects) > 0 {
		message += "; once instantiated, on the edge: " + strings.Join(objects, ", ")
	}
	observer.Event("passed", time.Now(), nil)
	return sdk.Result{Conclusion: sdk.Passed, Message: message + "; rsync is registered if nobody has, and that stays"}, nil
}
