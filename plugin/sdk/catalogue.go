package sdk

import "github.com/emco-chaos/emco-chaos/experiments/scenario"

// Describe describes a plugin whose experiments are files that package
// scenario reads: with what the catalogue offers to them, and with the schema
// of such files.
func Describe(name, version string, catalogue scenario.Catalogue, experiments []scenario.Description) (Description, error) {
	description := Description{Name: name, Version: version}
	for _, one := range experiments {
		description.Experiments = append(description.Experiments, Experiment{
			Name: one.Name, Title: one.Title, Description: one.Description, Parameters: each(one.Parameters, parameter),
		})
	}
	for _, activity := range catalogue.Activities {
		description.Activities = append(description.Activities, Activity{
			Name: activity.Name, Summary: activity.Summary, Events: activity.Events, Ends: activity.Ends,
			Arguments: each(activity.Arguments, func(argument scenario.Argument) Argument {
				return Argument{
					Name: argument.Name, Type: string(argument.Type), Required: argument.Required,
					Allowed: argument.Allowed, Description: argument.Description,
				}
			}),
		})
	}
	schema, err := scenario.Schema(catalogue)
	if err != nil {
		return Description{}, err
	}
	description.Schema = schema
	return description, nil
}

func parameter(p scenario.Parameter) Parameter {
	one := Parameter{Name: p.Name, Type: string(p.Type), Allowed: p.Allowed, Description: p.Description}
	switch {
	case p.Default != nil:
		one.Default = *p.Default
	case p.Follows != "":
		one.Default = "as " + p.Follows + " has it"
	}
	return one
}
