package emco

import (
	"net/http"
	"slices"
	"testing"
)

func TestChildren(t *testing.T) {
	for _, test := range []struct {
		code int
		body string
		want []string
		ok   bool
	}{
		{200, "null", nil, true},
		{200, "[]", nil, true},
		{200, `[{"metadata":{"name":"a"}},{"clusterLabel":"b"},{"metadata":{"name":"e"},"spec":{"version":"v1"}}]`, []string{"a", "b", "e"}, true},
		{200, `{"intent":[{"genericPlacementIntent":"g"}]}`, []string{"something without a name"}, true},
		{200, `{"intent":null}`, nil, true},
		{200, `{"intent":"x"}`, nil, false},
		{200, "no list", nil, false},
		{404, "404 page not found\n", nil, true},
		{404, "Intent not found\n", nil, true},
		{400, "No Cluster References associated\n", nil, true},
		{400, "something else\n", nil, false},
		{500, "The server encountered an internal error\n", nil, false},
		{0, "", nil, false},
	} {
		answer := Answer{Request: Get("cluster-providers/p/clusters/c/kv-pairs"), Code: test.code, Body: []byte(test.body), Outcome: Outcome{Kind: Rejected, Code: test.code}}
		if test.code == http.StatusOK {
			answer.Outcome.Kind = Accepted
		}
		list, ok := answer.Children()
		var names []string
		for _, child := range list {
			names = append(names, child.Name())
		}
		if ok != test.ok || !slices.Equal(names, test.want) {
			t.Errorf("%d %s: %v, %t, want %v, %t", test.code, test.body, names, ok, test.want, test.ok)
		}
	}
	if _, ok := (Answer{Request: Get("cluster-providers/p/clusters/c/labels"), Code: 404, Body: []byte("404 page not found\n")}).Children(); ok {
		t.Error("a router's 404 says nothing of a collection that every EMCO has")
	}
	const group = "projects/p/composite-apps/c/v1/deployment-intent-groups/d"
	for _, anchor := range []string{group + "/intents", group + "/generic-placement-intents", group + "/generic-k8s-intents", group + "/policy-intents"} {
		if !slices.Contains(Collections(group), anchor) {
			t.Errorf("%v does not have %s", Collections(group), anchor)
		}
	}
}
