package chaosmesh_test

import "testing"

func TestVersions(t *testing.T) {
	m := newMesh(t)
	versions := m.open(nil).Versions(t.Context())
	if versions["orchestrator"] != "orchestrator:1" || versions["etcd"] != "etcd:1" || versions["canary"] != "" {
		t.Errorf("%v", versions)
	}
	t.Log(versions)
}
