package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// previewActivity takes what ensure takes, and tells what ensure would make.
const previewActivity = "preview"

// previewDescription describes the preview by the arguments of ensure. No
// experiment can name it: it is for who wants to know before a run.
func previewDescription(activities []sdk.Activity) sdk.Activity {
	preview := sdk.Activity{
		Name:    previewActivity,
		Summary: "tells which resources ensure would make, and makes nothing",
		Events:  []string{"started", "passed", "failed"},
		Ends:    []string{"passed", "failed"},
	}
	for _, activity := range activities {
		if activity.Name == "ensure" {
			preview.Arguments = activity.Arguments
		}
	}
	return preview
}

// preview tells what a run would make, in the order in which it would. It asks
// EMCO nothing.
func preview(_ context.Context, task sdk.Task, observer sdk.Observer) sdk.Result {
	observer.Event("started", time.Now(), nil)
	document, _ := task.Arguments["given"].(map[string]any)
	given, err := emco.ParseGiven(document)
	if err != nil {
		return sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
	}
	on, err := subject(task)
	if err != nil {
		return sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
	}
	made := 0
	for _, resource := range on.Names.Resources(emco.Material{Apps: on.Setup.Apps}) {
		if !given.Has(resource.Kind) {
			continue
		}
		made++
		observer.Note(time.Now(), fmt.Sprintf("%s (%s)", resource.Anchor, resource.Kind))
	}
	message := fmt.Sprintf("%d resources, brought to: %s", made, given)
	if objects := onTheEdge(on, given); objects != "" {
		message += "; once instantiated, on the edge: " + objects
	}
	message += "; rsync is registered if nobody has, and that stays"
	observer.Event("passed", time.Now(), nil)
	return sdk.Result{Conclusion: sdk.Passed, Message: message}
}

// onTheEdge names the objects that the apps are on the edge cluster.
func onTheEdge(on probes.Subject, given emco.Given) string {
	if !given.Has(emco.DeploymentIntentGroup) {
		return ""
	}
	var names []string
	for _, app := range on.Setup.Apps {
		names = append(names, on.Names.Object(app))
	}
	return strings.Join(names, ", ")
}
