package chaosmesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// announced is what a fault was announced to be on, when it was made.
type announced struct {
	pods map[types.NamespacedName]bool
	// peers are the networks that a NetworkChaos cuts the pods of a selector off
	// from, by the key that records have for the selector. Nil is no NetworkChaos.
	peers map[string][]string
}

// announce takes what the fault is to be on from its ends and the pods there.
func (d *Driver) announce(object fault.Object, ends []end) (a announced) {
	a.pods = map[types.NamespacedName]bool{}
	addresses := make([][]string, len(ends))
	for i, end := range ends {
		for _, pod := range end.of(d.podsOf(end)) {
			a.pods[client.ObjectKeyFromObject(&pod)] = true
			if pod.Status.PodIP != "" {
				addresses[i] = append(addresses[i], pod.Status.PodIP+"/32")
			}
		}
	}
	chaos, ok := object.(*v1alpha1.NetworkChaos)
	if !ok {
		return a
	}
	var external []string
	for _, target := range chaos.Spec.ExternalTargets {
		host, port := splitPort(target)
		if prefix, err := netip.ParsePrefix(host); err == nil {
			host = prefix.Masked().String()
		} else {
			host += "/32"
		}
		external = append(external, host+port)
	}
	a.peers = map[string][]string{
		".": distinct(slices.Concat(append(addresses[1:], external)...)), ".Target": distinct(slices.Concat(addresses[0], external)),
	}
	return a
}

// compare says how the pods that the fault is on differ from those announced.
func (a announced) compare(records []*v1alpha1.Record) error {
	var wrong []string
	hit := map[types.NamespacedName]bool{}
	for _, record := range records {
		hit[podOf(record)] = true
	}
	for pod := range hit {
		if !a.pods[pod] {
			wrong = append(wrong, fmt.Sprintf("it is on pod %s too, which its selector did not match when it was made", pod))
		}
	}
	for pod := range a.pods {
		if !hit[pod] {
			wrong = append(wrong, fmt.Sprintf("it is not on pod %s, which its selector matched when it was made", pod))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New("Chaos Mesh has put it on other pods than announced: " + strings.Join(distinct(wrong), "; "))
}

// compareRules says how the rules that Chaos Mesh keeps for the pods of a
// NetworkChaos differ from what was announced. err is of a request, for which it
// gives up the lock.
func (f *activeFault) compareRules(records []*v1alpha1.Record) (difference, err error) {
	ctx, cancel := context.WithTimeout(f.driver.lifetime, readLimit)
	defer cancel()
	ruled := false
	for _, record := range records {
		pod := podOf(record)
		var kept v1alpha1.PodNetworkChaos
		if err := f.driver.unlocked(func() error { return f.driver.client.Get(ctx, pod, &kept) }); err != nil && !isGone(err) {
			return nil, explain(err, "get", podNetworkChaos, pod.Namespace)
		}
		for _, peers := range rulesOf(&kept.Spec, f.NamespacedName.String()) {
			ruled = true
			// A pod that both selectors match has rules of both.
			announced := slices.ContainsFunc(records, func(record *v1alpha1.Record) bool {
				return podOf(record) == pod && slices.Equal(peers, f.announced.peers[record.SelectorKey])
			})
			if !announced {
				on := cmp.Or(strings.Join(peers, ", "), "everything")
				return fmt.Errorf("there is a rule for the traffic of pod %s with %s, and it was to be with %s",
					pod, on, strings.Join(f.announced.peers[record.SelectorKey], ", ")), nil
			}
		}
	}
	if !ruled {
		return errors.New("it is injected, says Chaos Mesh, which keeps no rule of it for any of its pods"), nil
	}
	return nil, nil
}

// rulesOf are the rules of a source, each as the networks that it is on, sorted.
func rulesOf(spec *v1alpha1.PodNetworkChaosSpec, source string) (rules [][]string) {
	var networks func(names []string) []string
	networks = func(names []string) (list []string) {
		for _, set := range spec.IPSets {
			if set.Source == source && slices.Contains(names, set.Name) {
				list = append(append(list, set.Cidrs...), networks(set.SetNames)...)
				for _, one := range set.CidrAndPorts {
					list = append(list, fmt.Sprintf("%s:%d", one.Cidr, one.Port))
				}
			}
		}
		return list
	}
	for _, rule := range spec.Iptables {
		if rule.Source == source {
			rules = append(rules, distinct(networks(rule.IPSets)))
		}
	}
	for _, rule := range spec.TrafficControls {
		if rule.Source == source {
			rules = append(rules, distinct(networks([]string{rule.IPSet})))
		}
	}
	return rules
}

// splitPort splits :PORT off an external target that has one.
func splitPort(target string) (host, port string) {
	if host, port, err := net.SplitHostPort(target); err == nil {
		return host, ":" + port
	}
	return target, ""
}

// LookUp finds the addresses of a name, as [net.Resolver.LookupNetIP] does; nil
// is the system's own way.
type LookUp func(ctx context.Context, network, host string) ([]netip.Addr, error)

// IPv4 finds the addresses of a name that Chaos Mesh can make a rule of.
func (l LookUp) IPv4(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	if l == nil {
		l = net.DefaultResolver.LookupNetIP
	}
	var list []string
	all, err := l(ctx, "ip", name)
	if err != nil {
		return nil, fmt.Errorf("%s, whose address is not found from here: %w", name, err)
	}
	for _, one := range all {
		if one = one.Unmap(); one.Is4() {
			list = append(list, one.String())
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s, which has no IPv4 address, only %v: Chaos Mesh knows no other, and would cut the pods off from everything", name, all)
	}
	return list, nil
}

// resolve puts addresses in place of the names among the external targets of the
// object, and says which. Chaos Mesh resolves names too, and of one without an
// IPv4 address makes a rule that stops all traffic.
func (l LookUp) resolve(ctx context.Context, object fault.Object) (told string, err error) {
	chaos, ok := object.(*v1alpha1.NetworkChaos)
	if !ok {
		return "", nil
	}
	if first, err := fault.Request(object); err != nil || first > 1 {
		return "", cmp.Or(err, refused("request", "leave it out, or run it on a local cluster", "Chaos Mesh counts no requests"))
	}
	var resolved []string
	for i, target := range chaos.Spec.ExternalTargets {
		host, port := splitPort(target)
		field := fmt.Sprintf("spec.externalTargets[%d]", i)
		if port != "" && chaos.Spec.Direction == v1alpha1.From {
			return "", refused(field, "leave the port out, or write direction: to",
				"is %s, and of what comes from there Chaos Mesh compares the port with the pod's own: nothing would be dropped", target)
		}
		address := host
		if prefix, err := netip.ParsePrefix(host); err == nil {
			address = prefix.Addr().String()
		}
		list, err := l.IPv4(ctx, address)
		if err != nil {
			return "", refused(field, "give an IPv4 address of it in the target, as address: under services", "names %v", err)
		}
		if _, err := netip.ParseAddr(address); err == nil {
			resolved = append(resolved, target)
			continue
		}
		told += fmt.Sprintf("; %s is %s", host, strings.Join(list, " and "))
		for _, one := range list {
			resolved = append(resolved, one+port)
		}
	}
	chaos.Spec.ExternalTargets = resolved
	return told, nil
}
