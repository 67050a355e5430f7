package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// server is how pods reach the controller.
	server = "https://emco-chaos.emco-chaos.svc:8443"
	// triggerName is the name of the service account that may ask for runs,
	// and of its token's Secret.
	triggerName = "emco-chaos-trigger"
	tlsName     = "emco-chaos-tls"
)

// asking is a pod that asks the controller for a run with the token that is
// at the path.
func (s *site) asking(name, namespace, tokenFile string, volumes []corev1.Volume, mounts []corev1.VolumeMount, arguments []string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name: "trigger", Image: s.repository + ":" + s.tag, ImagePullPolicy: corev1.PullIfNotPresent,
				Args:         append([]string{"trigger", "--server", server, "--token-file", tokenFile}, arguments...),
				VolumeMounts: mounts,
			}},
			Volumes: volumes,
		},
	}
}

func secretVolume(name, secret string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}
}

// trigger asks the controller for a run from a pod, as a Task of the dashboard does.
func (s *site) trigger(t *testing.T, arguments ...string) *corev1.Pod {
	t.Helper()
	// Kubernetes fills the Secret after it is made.
	eventually(t, objectLimit, func(ctx context.Context) error {
		secret := &corev1.Secret{}
		err := s.client.Get(ctx, client.ObjectKey{Namespace: home, Name: triggerName}, secret)
		if err == nil && len(secret.Data[corev1.ServiceAccountTokenKey]) == 0 {
			err = fmt.Errorf("the Secret %s has no token", triggerName)
		}
		return err
	})
	pod := s.asking("ask-"+strings.ToLower(fmt.Sprint(time.Now().UnixNano())), home, "/token/token",
		[]corev1.Volume{secretVolume("token", triggerName), secretVolume("tls", tlsName)},
		[]corev1.VolumeMount{{Name: "token", MountPath: "/token"}, {Name: "tls", MountPath: "/tls"}},
		append([]string{"--ca", "/tls/ca.crt", "--wait"}, arguments...))
	s.make(t, pod)
	return pod
}

// ended waits for the end of a pod, and returns its exit code and its log.
func (s *site) ended(t *testing.T, pod *corev1.Pod, limit time.Duration) (code int, log string) {
	t.Helper()
	eventually(t, limit, func(ctx context.Context) error {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			return fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
		}
		return nil
	})
	log, err := s.logs(t.Context(), pod)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("pod %s\n%s", pod.Name, log)
	return int(pod.Status.ContainerStatuses[0].State.Terminated.ExitCode), log
}

// stranger has pods ask that may not: one with the token of a service
// account without rights, and one with a token that is none. They are told so,
// and nothing runs.
func (s *site) stranger(t *testing.T) {
	created := s.watchFaults(t)
	const other = "emco-chaos-stranger"
	s.makeNamespace(t, other)
	eventually(t, objectLimit, func(ctx context.Context) error {
		return s.client.Get(ctx, client.ObjectKey{Namespace: other, Name: "default"}, &corev1.ServiceAccount{})
	})
	authority := &corev1.Secret{}
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: home, Name: tlsName}, authority); err != nil {
		t.Fatal(err)
	}
	s.makeSecret(t, other, "given", map[string][]byte{"ca.crt": authority.Data["ca.crt"], "token": []byte("made-up")})
	for _, test := range []struct{ name, token, says string }{
		{"without-rights", "/var/run/secrets/kubernetes.io/serviceaccount/token", "403"},
		{"made-up", "/given/token", "401"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := s.asking(test.name, other, test.token,
				[]corev1.Volume{secretVolume("given", "given")}, []corev1.VolumeMount{{Name: "given", MountPath: "/given"}},
				[]string{"--ca", "/given/ca.crt", "--wait", "dig-instantiate-in-flight"})
			s.make(t, pod)
			if code, log := s.ended(t, pod, time.Minute); code != 4 || !strings.Contains(log, test.says) {
				t.Errorf("exit code %d, and the log must say %s", code, test.says)
			}
		})
	}
	if names := created(); len(names) > 0 {
		t.Errorf("chaos objects were created: %v", names)
	}
	s.clean(t)
}
