package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// objectLimit is how long a namespace or a pod may take to go.
const objectLimit = time.Minute

// make makes an object that goes with the test, and is gone then.
func (s *site) make(t *testing.T, object client.Object) {
	t.Helper()
	if err := s.client.Create(t.Context(), object); err != nil {
		t.Fatalf("make %T %s: %v", object, object.GetName(), err)
	}
	t.Cleanup(func() { s.remove(t, object) })
}

// remove removes an object, if it is there, and waits until it is gone.
func (s *site) remove(t *testing.T, object client.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), objectLimit)
	defer cancel()
	if err := s.client.Delete(ctx, object, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
	err := poll(ctx, func(ctx context.Context) error {
		err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%T %s is still there", object, object.GetName())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (s *site) makeNamespace(t *testing.T, name string) {
	t.Helper()
	s.make(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

func (s *site) makeSecret(t *testing.T, namespace, name string, data map[string][]byte) {
	t.Helper()
	s.make(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data})
}

// logs are what a pod has written.
func (s *site) logs(ctx context.Context, pod *corev1.Pod) (string, error) {
	clients, err := kubernetes.NewForConfig(s.config)
	if err != nil {
		return "", err
	}
	reading, err := clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("read the log of pod %s: %w", pod.Name, err)
	}
	defer reading.Close()
	text, err := io.ReadAll(reading)
	return string(text), err
}

// pods are those of a namespace that have the labels.
func (s *site) pods(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error) {
	var found corev1.PodList
	if err := s.client.List(ctx, &found, client.InNamespace(namespace), client.MatchingLabels(labels)); err != nil {
		return nil, fmt.Errorf("list the pods: %w", err)
	}
	return found.Items, nil
}

// keepLogs keeps what the chart's pods have written as artefacts.
func (s *site) keepLogs(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), objectLimit)
	defer cancel()
	found, err := s.pods(ctx, home, nil)
	if err != nil {
		t.Error(err)
	}
	for _, pod := range found {
		text, err := s.logs(ctx, &pod)
		if err == nil {
			err = os.WriteFile(artefact(t, pod.Name+".log"), []byte(text), 0o644)
		}
		if err != nil {
			t.Logf("keep the log of %s: %v", pod.Name, err)
		}
	}
}
