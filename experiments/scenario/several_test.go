package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
)

// TestSeveral: a step on several services is compiled into one a service.
func TestSeveral(t *testing.T) {
	for name, test := range map[string]struct{ steps, want string }{
		"events of all, of any, and of one": {`
    order: {call: order.place}
    kill:
      after: [order.sent]
      delay: 3s
      while: order
      fault: {podChaos: {action: container-kill, service: [stock, shop]}}
      timeout: 7s
    all: {after: [kill.down, order.sent], until: [kill.ready], probe: counted}
    any: {after: [order.sent], afterAny: [kill.down, order.rejected], probe: counted}
    one: {after: [kill-shop.ready], probe: {available: shop}}
  evidence:
    - order.sent < kill.created < all.passed
    - kill.down < one.passed
    - kill-shop.ready < one.passed
    - order.sent`, `
order            PUT order
kill-stock       container-kill stock, after order.sent, delay 3s, while order, timeout 7s
kill-shop        container-kill shop, after order.sent, delay 3s, while order, timeout 7s
all              counted, after kill-stock.down kill-shop.down order.sent, until kill-stock.ready kill-shop.ready
any              counted, after order.sent, afterAny kill-stock.down kill-shop.down order.rejected
one              available shop, after kill-shop.ready
order.sent < kill-stock.created < all.passed
order.sent < kill-shop.created < all.passed
kill-stock.down < one.passed
kill-shop.down < one.passed
kill-shop.ready < one.passed
order.sent
`},
		"each waits for its own service's, or for all": {`
    kill:
      fault: {podChaos: {action: pod-kill, service: [shop, stock, database]}}
    slow:
      after: [kill.created]
      for: 10s
      fault: {stressChaos: {action: cpu, service: [stock]}}
    gone:
      after: [kill.created]
      probe: {available: [shop, stock]}
      until: [kill.ready]
      timeout: 7s
    rest:
      after: [gone.passed, kill-database.ready]
      fault: {podChaos: {action: pod-kill, service: [database]}}
    back:
      after: [gone.passed, rest.ready, slow.removed]
      probe: {available: {service: [shop, stock]}}
  evidence:
    - kill.down < gone.passed < back.passed
    - kill-database.down < rest-database.down < back.passed
    - slow.injected < gone.passed < slow.removed < back.passed`, `
kill-shop        pod-kill shop
kill-stock       pod-kill stock
kill-database    pod-kill database
slow-stock       cpu stock, after kill-stock.created, for 10s
gone-shop        available shop, after kill-shop.created, until kill-shop.ready, timeout 7s
gone-stock       available stock, after kill-stock.created, until kill-stock.ready, timeout 7s
rest-database    pod-kill database, after gone-shop.passed gone-stock.passed kill-database.ready
back-shop        available shop, after gone-shop.passed rest-database.ready slow-stock.removed
back-stock       available stock, after gone-stock.passed rest-database.ready slow-stock.removed
kill-shop.down < gone-shop.passed < back-shop.passed
kill-stock.down < gone-stock.passed < back-stock.passed
kill-database.down < rest-database.down < back-shop.passed
kill-database.down < rest-database.down < back-stock.passed
slow-stock.injected < gone-stock.passed < slow-stock.removed < back-stock.passed
`},
	} {
		t.Run(name, func(t *testing.T) {
			const head = "apiVersion: emco-chaos/v1\nkind: Experiment\nmetadata: {name: sample}\nspec:\n  title: A sample\n  given: {goods: apples}\n  steps:"
			result, problems := scenario.Compile("sample.yaml", []byte(head+test.steps), market(), shop(t), nil)
			if result == nil {
				t.Fatal(problems)
			}
			got := "\n"
			for _, step := range result.Steps {
				got += fmt.Sprintf("%-16s %s\n", step.Name, written(step))
				if asked := step.Activity; asked != nil && asked.Name == "available" && asked.Arguments["service"] != asked.Service {
					t.Errorf("%s asks %v, not %s", step.Name, asked.Arguments["service"], asked.Service)
				}
			}
			for _, claim := range result.Evidence {
				got += claim.String() + "\n"
			}
			if got != test.want {
				t.Errorf("got%swant%s", got, test.want)
			}
		})
	}
}

// written is what a step does, and when, as far as it is written in the file.
func written(step plan.Step) string {
	var parts []string
	if step.Fault != nil {
		parts = append(parts, step.Fault.Summary)
	} else {
		parts = append(parts, step.Activity.Summary)
	}
	for _, list := range []struct {
		key  string
		refs []plan.Ref
	}{{"after", step.After}, {"afterAny", step.AfterAny}, {"until", step.Until}} {
		if len(list.refs) > 0 {
			parts = append(parts, list.key+" "+strings.Trim(fmt.Sprint(list.refs), "[]"))
		}
	}
	if step.Delay > 0 {
		parts = append(parts, "delay "+step.Delay.String())
	}
	if step.While != "" {
		parts = append(parts, "while "+step.While)
	}
	if step.For > 0 {
		parts = append(parts, "for "+step.For.String())
	}
	if step.Timeout.String() == "7s" {
		parts = append(parts, "timeout 7s")
	}
	return strings.Join(parts, ", ")
}
