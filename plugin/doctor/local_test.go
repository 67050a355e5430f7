package doctor_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/local/localtest"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// clusterFile is a local cluster; a test has its own in place of PROGRAM, READY,
// LISTEN, SECOND and CONNECT.
const clusterFile = `apiVersion: emco-chaos/v1
kind: LocalCluster
metadata: {name: sample}
spec:
  namespace: market
  pods:
    - {name: shop, labels: {app: shop}, command: [PROGRAM, "60"]READY}
    - {name: stock, labels: {app: stock}, command: [sleep, "60"]}
  links:
    - {from: shop, to: stock, listen: "LISTEN", connect: "CONNECT"}
    - {from: shop, external: courier.example, listen: "SECOND", connect: "CONNECT"}
`

// stubborn is a driver whose processes do not end when they are told to.
type stubborn struct{ scripted }

func (*stubborn) Close() error { return errors.New("pod stock did not stop within 5s and was killed") }

func TestExamineLocal(t *testing.T) {
	var listening []string
	for range 2 {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { taken.Close() })
		listening = append(listening, taken.Addr().String())
	}
	here, taken := listening[0], listening[1]
	// Nobody listens at port 1.
	const nobody = "127.0.0.1:1"
	type ill struct {
		program, connect, listen, ready, file string
		courier, label                        string
		driver                                doctor.Driver
		open                                  error
		running                               bool
	}
	for name, ill := range map[string]ill{
		"sound":              {},
		"unreadable":         {file: "nowhere.yaml"},
		"mistaken":           {ready: ", ready: {udp: none}"},
		"program-missing":    {program: "./shop"},
		"selects-nothing":    {label: "shelf"},
		"address-taken":      {listen: taken, ready: fmt.Sprintf(", ready: {tcp: %q}", taken)},
		"does-not-start":     {open: document.Problem{Message: "open the log of pod shop: disk full", Remedy: "make room"}},
		"link-leads-nowhere": {connect: nobody},
		"no-link":            {courier: "carrier.example:443"},
		"does-not-end":       {driver: &stubborn{}},
		"in-use":             {running: true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			free := localtest.Addresses(t, 2)
			text := strings.NewReplacer(
				"PROGRAM", cmp.Or(ill.program, "sleep"), "READY", ill.ready, "LISTEN", cmp.Or(ill.listen, free[0]), "SECOND", free[1], "CONNECT", cmp.Or(ill.connect, here),
			).Replace(clusterFile)
			file := filepath.Join(folder, "cluster.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if ill.running {
				description, err := local.Load(file)
				if err != nil {
					t.Fatal(err)
				}
				localtest.Start(t, description)
			}
			driver := cmp.Or(ill.driver, doctor.Driver(&scripted{}))
			var found strings.Builder
			report, err := doctor.Examine(t.Context(), doctor.Options{
				Target: &target.Target{
					Name: "sample", Driver: target.Driver{Local: &target.LocalDriver{Cluster: filepath.Join(folder, cmp.Or(ill.file, "cluster.yaml"))}},
					Services: map[string]target.Service{
						"shop":    {URL: "http://shop.example", Namespace: "market", Labels: map[string]string{"app": "shop"}},
						"stock":   {Namespace: "market", Labels: map[string]string{"app": cmp.Or(ill.label, "stock")}},
						"courier": {Address: cmp.Or(ill.courier, "courier.example:443")},
					},
				},
				TargetFile: "target.yaml", Run: "trial", Limit: 15 * time.Second,
				Reach: func(context.Context, string, string) (string, error) { return "available", nil },
				Front: func(context.Context, string) (string, error) { return "", nil },
				Open:  func(context.Context) (doctor.Driver, error) { return driver, ill.open },
			}, func(finding doctor.Finding) {
				if err := doctor.Text(&found, finding); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.ReplaceAll(found.String(), folder, "FOLDER")
			plain = regexp.MustCompile(`:\d\d\d+\b`).ReplaceAllString(plain, ":PORT")
			plain = regexp.MustCompile(`after \d\S+`).ReplaceAllString(plain, "after TIME")
			plain = regexp.MustCompile(`process \d+`).ReplaceAllString(plain, "process NUMBER")
			golden(t, "local-"+name, plain+report.String()+"\n")
		})
	}
}
