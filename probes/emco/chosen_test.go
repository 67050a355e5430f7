package emco

import (
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

func TestParseAnchor(t *testing.T) {
	group := "projects/p/composite-apps/c/v2/deployment-intent-groups/d"
	inGroup := Chosen{Project: "p", CompositeApp: "c", CompositeAppVersion: "v2", DIG: "d"}
	for anchor, want := range map[string]struct {
		chosen   Chosen
		template string
	}{
		group:                            {inGroup, "{dig}"},
		group + "/status":                {inGroup, "{dig}/status"},
		"projects/p":                     {Chosen{Project: "p"}, "{project}"},
		"projects/p/logical-clouds/l":    {Chosen{Project: "p", LogicalCloud: "l"}, "{logicalCloud}"},
		"cluster-providers/p":            {Chosen{ClusterProvider: "p"}, "{provider}"},
		"cluster-providers/p/clusters/c": {Chosen{ClusterProvider: "p", Cluster: "c"}, "{cluster}"},
		"projects/p/logical-clouds":      {Chosen{Project: "p"}, "{project}/logical-clouds"},
		group + "/intents/i": {Chosen{
			Project: "p", CompositeApp: "c", CompositeAppVersion: "v2", DIG: "d", Intent: "i",
		}, "{intent}"},
	} {
		chosen, err := ParseAnchor(anchor)
		if err != nil || chosen != want.chosen {
			t.Errorf("%s: got %+v, %v", anchor, chosen, err)
		}
		names, err := mustNames(t, "run", 1).Choose(chosen)
		if err != nil {
			t.Errorf("%s: %v", anchor, err)
		}
		if back := names.Anchor(want.template); back != anchor {
			t.Errorf("%s comes back as %s", anchor, back)
		}
		if missing := chosen.Missing(want.template); missing != nil {
			t.Errorf("%s: %v are said to be missing", anchor, missing)
		}
	}
}

func TestCheckAnchorRefuses(t *testing.T) {
	for _, anchor := range []string{
		"", "/projects", "projects/", "projects//p", "projects/../controllers", "projects/./p", "projects/p?x=1", "projects/p#x",
		"projects/%2e%2e", "projects/a b", "http://elsewhere/v2", "secrets/x", "projects/" + strings.Repeat("a", anchorBytes), "projects/p\n",
	} {
		var field document.Problem
		if err := CheckAnchor(anchor); !errors.As(err, &field) || field.Remedy == "" {
			t.Errorf("%q: got %v", anchor, err)
		}
	}
}

func TestChoose(t *testing.T) {
	names := mustNames(t, "run", 1)
	if _, err := names.Choose(Chosen{DIG: "../d"}); err == nil || !strings.HasPrefix(err.Error(), "dig: ") {
		t.Errorf("got %v", err)
	}
	if missing := (Chosen{Project: "p", DIG: "d"}).Missing("{dig}/status"); !slices.Equal(missing, []string{"composite-app", "composite-app-version"}) {
		t.Errorf("missing: %v", missing)
	}
	chosen, err := names.Choose(Chosen{ClusterProvider: "edges"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := chosen.Anchor("{cluster}"), "cluster-providers/edges/clusters/run-1-edge"; got != want {
		t.Errorf("got %s, want %s: what is not chosen is the run's", got, want)
	}
	for _, resource := range chosen.Resources(Material{}) {
		if text, _ := json.Marshal(resource.Create.JSON); strings.Contains(string(text), names.Mark()) {
			t.Errorf("%s carries the mark of a run: %s", resource.Anchor, text)
		}
	}
	// A run must not take what carries no mark for its own.
	if chosen.Mark() == "" {
		t.Error("no mark")
	}
}

func TestServiceOfOthers(t *testing.T) {
	group := "projects/p/composite-apps/c/v1/deployment-intent-groups/d/"
	for anchor, want := range map[string]Service{
		"controllers":                           Orchestrator,
		"clm-controllers":                       CLM,
		"dtc-controllers":                       "dtc",
		"cluster-providers/p/ca-certs":          "cacert",
		"cluster-providers/p/clusters/c/labels": CLM,
		"cluster-providers/p/clusters/c/apply":  "ncm",
		"projects/p/ca-certs":                   "cacert",
		"projects/p/policy":                     "policy",
		"projects/p/logical-clouds/l":           DCM,
		group + "instantiate":                   Orchestrator,
		group + "generic-k8s-intents":           "gac",
		group + "traffic-group-intents/t/x":     "dtc",
	} {
		if got := ServiceOf(anchor); got != want {
			t.Errorf("%s: %s, want %s", anchor, got, want)
		}
	}
	all := []Service{"cacert", CLM, DCM, "dtc", "gac", "hpaplacement", "ncm", Orchestrator, "ovnaction", "policy", "sfc", "sfcclient", "tac", "workflowmgr"}
	if got := slices.Sorted(slices.Values(RESTServices())); !slices.Equal(got, all) {
		t.Errorf("services with a REST API: %v, want %v", got, all)
	}
}

func TestSeveralFilesAndAnswered(t *testing.T) {
	var form *multipart.Form
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Error(err)
		}
		form = r.MultipartForm
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	var answered []Answer
	client, err := New(Config{Ingress: server.URL, Answered: func(a Answer) { answered = append(answered, a) }})
	if err != nil {
		t.Fatal(err)
	}
	request := Post("projects/p/composite-apps/c/v1/deployment-intent-groups/d/generic-k8s-intents/i/resources/r/customizations")
	request.JSON = map[string]string{"a": "b"}
	request.Files = []File{{Name: "one", Content: []byte("1")}, {Name: "two", Content: []byte("2")}}
	if answer, err := client.Do(t.Context(), request); err != nil || answer.Code != http.StatusCreated {
		t.Fatalf("%v, %v", answer, err)
	}
	if len(answered) != 1 || answered[0].Code != http.StatusCreated {
		t.Errorf("answered: %v", answered)
	}
	if got := form.Value["metadata"]; !slices.Equal(got, []string{`{"a":"b"}`}) {
		t.Errorf("metadata: %v", got)
	}
	if len(form.File["files"]) != 2 || form.File["files"][1].Filename != "two" {
		t.Fatalf("files: %v", form.File)
	}
	part, err := form.File["files"][1].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if content, err := io.ReadAll(part); err != nil || string(content) != "2" {
		t.Errorf("%q, %v", content, err)
	}
}
