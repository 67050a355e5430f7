package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	toolswatch "k8s.io/client-go/tools/watch"
)

// RESTConfig is how this process reaches the cluster's API server, although
// it is outside of the cluster's network namespace.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	c.reach(config)
	return config, nil
}

// reach makes a configuration connect from inside the network namespace.
func (c *Cluster) reach(config *rest.Config) {
	config.QPS, config.Burst = 100, 200
	if c.namespace != "" {
		config.Dial = c.namespace.dial
	}
}

func (c *Cluster) client() (kubernetes.Interface, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// nodeReady waits until the node takes pods.
func (c *Cluster) nodeReady(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ready := func(event watch.Event) (bool, error) {
		node, is := event.Object.(*corev1.Node)
		return is && slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
			return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
		}), nil
	}
	for {
		watching, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector("metadata.name", nodeName).String(),
		})
		if err != nil {
			return fmt.Errorf("wait for the node: %w", err)
		}
		_, err = toolswatch.UntilWithoutRetry(ctx, watching, ready)
		if errors.Is(err, toolswatch.ErrWatchClosed) && ctx.Err() == nil {
			continue // the server ends a watch now and then
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("wait for the node: %w", err)
		}
		if err != nil {
			return fmt.Errorf("wait for the node: %w; %w", err, tail(c.folder, "kubelet"))
		}
		return nil
	}
}

// whyNotReady adds what the pods of a namespace wait for.
func (c *Cluster) whyNotReady(ctx context.Context, namespace string, because error) error {
	client, err := c.client()
	if err != nil {
		return errors.Join(because, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
	defer cancel()
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return errors.Join(because, err)
	}
	lines := []string{because.Error()}
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			if status.Ready {
				continue
			}
			line := fmt.Sprintf("pod %s is not ready (%s)", pod.Name, pod.Status.Phase)
			if waiting := status.State.Waiting; waiting != nil {
				line += ": " + waiting.Reason + " " + waiting.Message
			}
			if ended := status.LastTerminationState.Terminated; ended != nil {
				line += fmt.Sprintf(": it ended with %d %s %s", ended.ExitCode, ended.Reason, ended.Message)
			}
			lines = append(lines, line)
		}
	}
	return fmt.Errorf("%s\n  the pods' own logs are in %s", strings.Join(lines, "\n  "), c.folder.podLogs())
}

// address is the ClusterIP and the port of a Service.
func (c *Cluster) address(ctx context.Context, namespace, service string) (string, error) {
	client, err := c.client()
	if err != nil {
		return "", err
	}
	found, err := client.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("find the Service %s: %w", service, err)
	}
	return fmt.Sprintf("%s:%d", found.Spec.ClusterIP, found.Spec.Ports[0].Port), nil
}
