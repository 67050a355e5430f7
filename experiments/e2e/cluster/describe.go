package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Check tells which of the cluster's processes are gone.
func (c *Cluster) Check() error {
	started, err := recorded(c.folder)
	if err != nil {
		return err
	}
	var problems []error
	for _, one := range started {
		if !one.alive() {
			problems = append(problems, fmt.Errorf("%s is gone; %w", one.Name, tail(c.folder, one.Name)))
		}
	}
	return errors.Join(problems...)
}

// Alive are the cluster's processes that run.
func (c *Cluster) Alive() ([]string, error) {
	started, err := recorded(c.folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, one := range started {
		if one.alive() {
			names = append(names, one.Name)
		}
	}
	return names, nil
}

// Describe tells a person how to use the cluster.
func (c *Cluster) Describe(ctx context.Context) (string, error) {
	client, err := c.client()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	line := func(what, value string) { fmt.Fprintf(&out, "%-22s %s\n", what, value) }
	line("kubeconfig", c.Kubeconfig())
	if c.Ours() {
		line("to work in it", c.Prefix()+" COMMAND")
		line("kubectl", fmt.Sprintf("%s %s --kubeconfig %s", c.Prefix(), c.kubectl, c.Kubeconfig()))
		line("target", c.Target())
		line("target in pods", c.PodTarget())
		line("edge kubeconfig", c.EdgeKubeconfig())
		line("logs", c.Logs())
		line("containerd", c.folder.socket())
		line("node", NodeAddress)
		line("edge", EdgeAddress+":"+edgePort)
	}
	for _, namespace := range []string{EMCONamespace, chaosMeshNamespace} {
		services, err := client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", fmt.Errorf("list the Services: %w", err)
		}
		for _, service := range services.Items {
			for _, port := range service.Spec.Ports {
				address := fmt.Sprintf("%s:%d", service.Spec.ClusterIP, port.Port)
				if port.NodePort != 0 {
					address += fmt.Sprintf("  and %s:%d", NodeAddress, port.NodePort)
				}
				line(namespace+"/"+service.Name, strings.TrimSpace(address+"  "+port.Name))
			}
		}
	}
	return out.String(), nil
}
