package emco

import (
	"encoding/json"
	"testing"
)

func TestController(t *testing.T) {
	for body, want := range map[string]string{
		`{"metadata":{"name":"rsync"},"spec":{"host":"192.0.2.1","port":9031}}`: "192.0.2.1:9031",
		`{"metadata":{"name":"rsync"},"spec":{}}`:                               "",
		"no JSON": "",
	} {
		got, ok := (Answer{Outcome: Outcome{Kind: Accepted}, Body: []byte(body)}).Controller()
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %t, want %q", body, got, ok, want)
		}
	}
	if _, ok := (Answer{Outcome: Outcome{Kind: Rejected}, Body: []byte(`{"spec":{"host":"a","port":1}}`)}).Controller(); ok {
		t.Error("a refusal has an address")
	}
}

// The registration of rsync carries the mark of the run, whatever names are
// chosen.
func TestRsyncController(t *testing.T) {
	names, err := mustNames(t, "run", 1).Choose(Chosen{Project: "p"})
	if err != nil {
		t.Fatal(err)
	}
	request := names.RsyncController("192.0.2.1", 9031)
	body, err := json.Marshal(request.JSON)
	if err != nil {
		t.Fatal(err)
	}
	answer := Answer{Outcome: Outcome{Kind: Accepted}, Body: body}
	address, _ := answer.Controller()
	if request.Anchor != "controllers" || answer.Mark() != "emco-chaos/run" || address != "192.0.2.1:9031" {
		t.Errorf("%s %s", request.Anchor, body)
	}
}
