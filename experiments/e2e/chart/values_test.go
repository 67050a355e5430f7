package chart

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/yaml"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// TestRefusals: what is missing or wrong is refused before anything is
// installed, and the message says where it is and what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values string
		want   []string
	}{
		"no image":               {`image: {repository: ""}`, []string{"image.repository: name the image", "make image"}},
		"no edge":                {`edge: {address: ""}`, []string{"edge.address: give the edge cluster's API server as HOST:PORT"}},
		"no edge kubeconfig":     {`edge: {kubeconfig: {secret: ""}}`, []string{"edge.kubeconfig.secret: name a Secret", "kubectl create secret generic edge --from-file=kubeconfig=FILE"}},
		"no service account":     {`serviceAccount: {create: false}`, []string{"serviceAccount.name: name the service account"}},
		"schedules, no trigger":  {`trigger: {create: false}`, []string{"set trigger.create=true or schedules.enabled=false"}},
		"edge among services":    {`emco: {services: {edge: {address: "edge:6443"}}}`, []string{"emco.services.edge: say where the edge is under edge"}},
		"settings.edge":          {`emco: {settings: {edge: {}}}`, []string{"emco.settings.edge: it is told by another value"}},
		"settings.apps":          {`emco: {settings: {apps: [a]}}`, []string{"emco.settings.apps: it is told by another value"}},
		"a Schedule twice":       {`schedules: {list: [{experiment: service-refused}, {experiment: service-refused}]}`, []string{"schedules.list: service-refused is there twice"}},
		"plugin without a path":  {`plugins: [{name: a, image: a}]`, []string{"/plugins/0"}},
		"unknown key":            {`emco: {namespaces: emco}`, []string{"emco", "additional properties 'namespaces' not allowed"}},
		"unknown key at the top": {`services: {}`, []string{"additional properties 'services' not allowed"}},
		"values that are gone":   {`{queue: 20, tls: {secret: mine}, rbac: {reviews: false}, networkPolicy: {from: []}}`, []string{"'/queue': value must be 'left out, for it is gone", "'/tls'", "'/rbac/reviews'", "'/networkPolicy/from'", "--set NAME=null", "--reset-then-reuse-values"}},
		"misspelt service key":   {`emco: {services: {dcm: {ports: 1}}}`, []string{"/emco/services/dcm", "additional properties 'ports' not allowed"}},
		"null in place of a map": {`schedules: null`, []string{"missing property 'schedules'"}},
		"text for a number":      {`replicas: two`, []string{"/replicas", "got string, want integer"}},
		"port":                   {`emco: {services: {dcm: {port: 70000}}}`, []string{"/emco/services/dcm/port", "maximum"}},
		"namespace":              {`emco: {namespace: "EMCO system"}`, []string{"/emco/namespace", "does not match pattern"}},
		"label":                  {`emco: {services: {dcm: {labels: {app: "d c m"}}}}`, []string{"/emco/services/dcm/labels/app", "does not match pattern"}},
		"password in a URL":      {`emco: {services: {dcm: {url: "http://me:secret@dcm:9077"}}}`, []string{"/emco/services/dcm/url", "does not match pattern"}},
		"name too long":          {`schedules: {list: [{experiment: ` + strings.Repeat("a", 52) + `}]}`, []string{"/schedules/list/0/experiment", "maxLength"}},
		"pull policy":            {`image: {pullPolicy: Sometimes}`, []string{"/image/pullPolicy", "value must be one of 'Always', 'IfNotPresent', 'Never'"}},
		"rules, no metrics":      {`metrics: {enabled: false, rules: {enabled: true}}`, []string{"/metrics/rules/enabled", "value must be false"}},
		"monitor, no metrics":    {`metrics: {enabled: false, podMonitor: {enabled: true}}`, []string{"/metrics/podMonitor/enabled", "value must be false"}},
		"dashboard, no metrics":  {`metrics: {enabled: false, dashboard: {enabled: true}}`, []string{"/metrics/dashboard/enabled", "value must be false"}},
		"interval":               {`metrics: {podMonitor: {interval: 30 s}}`, []string{"/metrics/podMonitor/interval", "does not match pattern"}},
		"collector":              {`traces: {endpoint: "collector:4318"}`, []string{"/traces/endpoint", "does not match pattern"}},
		"password of collector":  {`traces: {endpoint: "http://me:secret@collector:4318"}`, []string{"/traces/endpoint", "does not match pattern"}},
		"digest":                 {`image: {digest: abc}`, []string{"/image/digest"}},
		"no schedules":           {`schedules: {list: []}`, []string{"/schedules/list", "minItems"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, given(t, test.values), withChaosMesh(), nil)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error is\n%v\nwant %q in it", err, part)
				}
			}
		})
	}
}

func TestChaosMeshIsMissing(t *testing.T) {
	t.Parallel()
	_, err := render(t, given(t, "{}"), common.DefaultCapabilities.Copy(), nil)
	if err == nil || !strings.Contains(err.Error(), "Chaos Mesh is not installed") || !strings.Contains(err.Error(), "helm install chaos-mesh") {
		t.Errorf("the error is %v", err)
	}
	if _, err := render(t, given(t, "chaosMesh: {check: false}"), common.DefaultCapabilities.Copy(), nil); err != nil {
		t.Errorf("with the check switched off: %v", err)
	}
}

// hostile are texts that would be more than a value in YAML that is put
// together from texts, or in a template that is rendered twice.
var hostile = []string{
	"x\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: injected}\n",
	"x\"\n  injected: \"true",
	"x'}], injected: true, #",
	"{{ fail \"rendered twice\" }}",
	"*anchor\u2028\x00\t&!%@`$(X)",
}

// TestHostileValues puts hostile text in the place of each text that there is
// in the values. It is refused, or it stays a text: in what is rendered there
// is not a key, an element or an object more or less.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	loaded := load(t)
	all := loader.MergeMaps(loaded.Values, values(t, "everything"))
	delete(all["emco"].(map[string]any)["services"].(map[string]any), "mongo")
	files, err := render(t, all, withChaosMesh(), nil)
	if err != nil {
		t.Fatal(err)
	}
	before, err := shapes(files)
	if err != nil {
		t.Fatal(err)
	}
	var refused, taken atomic.Int32
	t.Run("values", func(t *testing.T) {
		for _, where := range texts(all, nil) {
			t.Run(strings.ReplaceAll(fmt.Sprint(where), "/", "_"), func(t *testing.T) {
				t.Parallel()
				for _, text := range hostile {
					files, err := render(t, replace(all, where, text).(map[string]any), withChaosMesh(), nil)
					if err != nil {
						if strings.Contains(err.Error(), "executing") {
							t.Errorf("%q breaks a template, where the schema should refuse it: %v", text, err)
						}
						refused.Add(1)
						continue
					}
					taken.Add(1)
					after, err := shapes(files)
					if err != nil {
						t.Errorf("%q makes no manifests: %v", text, err)
						continue
					}
					if after != before {
						t.Errorf("%q makes another shape:\n%s\nwant\n%s", text, after, before)
					}
				}
			})
		}
	})
	if refused.Load() == 0 || taken.Load() == 0 {
		t.Errorf("%d were refused and %d were taken: this tests nothing", refused.Load(), taken.Load())
	}
}

// shapes are the keys, the number of elements and the types of all that is
// rendered, with those of the files in it too.
func shapes(files map[string]string) (string, error) {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for _, manifest := range documents.Split(files[name], -1) {
			var parsed any
			if err := yaml.UnmarshalStrict([]byte(manifest), &parsed); err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintln(&all, name, shape(parsed))
			fields, _ := parsed.(map[string]any)
			if data, is := fields["data"].(map[string]any); is && fields["kind"] == "ConfigMap" {
				for _, file := range slices.Sorted(maps.Keys(data)) {
					var content any
					if err := yaml.UnmarshalStrict([]byte(data[file].(string)), &content); err != nil {
						return "", fmt.Errorf("%s: %w", file, err)
					}
					fmt.Fprintln(&all, file, shape(content))
				}
			}
		}
	}
	return all.String(), nil
}

func shape(value any) any {
	switch value := value.(type) {
	case map[string]any:
		fields := map[string]any{}
		for key, inner := range value {
			fields[key] = shape(inner)
		}
		return fields
	case []any:
		elements := make([]any, len(value))
		for i, inner := range value {
			elements[i] = shape(inner)
		}
		return elements
	case nil:
		return "nothing"
	default:
		return fmt.Sprintf("%T", value)
	}
}

// texts are the ways to all texts in a value: keys and indices.
func texts(value any, way []any) [][]any {
	var ways [][]any
	switch value := value.(type) {
	case string:
		ways = append(ways, slices.Clone(way))
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			ways = append(ways, texts(value[key], append(way, key))...)
		}
	case []any:
		for i, element := range value {
			ways = append(ways, texts(element, append(way, i))...)
		}
	}
	return ways
}

// replace is a copy of the value with another text at the end of the way.
func replace(value any, way []any, text string) any {
	if len(way) == 0 {
		return text
	}
	switch value := value.(type) {
	case map[string]any:
		copied := maps.Clone(value)
		key := way[0].(string)
		copied[key] = replace(value[key], way[1:], text)
		return copied
	case []any:
		copied := slices.Clone(value)
		copied[way[0].(int)] = replace(value[way[0].(int)], way[1:], text)
		return copied
	}
	panic(fmt.Sprintf("no way %v in %v", way, value))
}

// TestHostileKeys: so it is with the keys of the maps whose keys are free.
func TestHostileKeys(t *testing.T) {
	t.Parallel()
	for _, place := range [][]string{
		{"podAnnotations"}, {"podLabels"}, {"nodeSelector"}, {"resources"}, {"serviceAccount", "annotations"}, {"emco", "services"},
		{"emco", "services", "dcm", "labels"}, {"emco", "settings"}, {"affinity"}, {"schedules", "resources"}, {"target"},
	} {
		t.Run(strings.Join(place, "."), func(t *testing.T) {
			t.Parallel()
			with := func(key string) (string, error) {
				inner := map[string]any{key: "value"}
				for _, name := range slices.Backward(place) {
					inner = map[string]any{name: inner}
				}
				files, err := render(t, loader.MergeMaps(values(t, "minimal"), inner), withChaosMesh(), nil)
				if err != nil {
					return "", err
				}
				text, err := shapes(files)
				if err != nil {
					t.Errorf("%q makes no manifests: %v", key, err)
				}
				return text, nil
			}
			harmless, err := with("harmless")
			if err != nil && place[0] != "emco" {
				t.Fatal(err)
			}
			for _, text := range hostile {
				got, err := with(text)
				if err != nil {
					continue
				}
				if want := strings.ReplaceAll(harmless, "harmless", text); sorted(got) != sorted(want) {
					t.Errorf("%q makes another shape:\n%s\nwant\n%s", text, got, want)
				}
			}
		})
	}
}

// sorted makes shapes alike whose keys stand in another order.
func sorted(text string) string {
	characters := []rune(text)
	slices.Sort(characters)
	return string(characters)
}

// TestREADME: the chart's README tells every value with its default.
func TestREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(readme), -1) {
		told[row[1]] = true
	}
	for _, name := range leaves(load(t).Values, "") {
		if !told[name] {
			t.Errorf("the README does not tell the value %s", name)
		}
		delete(told, name)
	}
	for name := range told {
		t.Errorf("the README tells a value %s, which there is not", name)
	}
}

// leaves are the names of the values: those that are no maps, and maps that
// are empty or that the README tells as one.
func leaves(value map[string]any, prefix string) []string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(value)) {
		name := prefix + key
		inner, is := value[key].(map[string]any)
		if !is || len(inner) == 0 || strings.HasSuffix(name, "resources") || name == "emco.services" {
			names = append(names, name)
			continue
		}
		names = append(names, leaves(inner, name+".")...)
	}
	return names
}
