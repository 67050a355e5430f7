package doctor

import (
	"context"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// lookAtCluster asks the API server for its version, and who we are to it.
func lookAtCluster(ctx context.Context, e *examination) {
	version, err := e.Discovery.ServerVersionWithContext(ctx)
	const where = "name the cluster in the target file: driver: {kubernetes: {kubeconfig: FILE, context: NAME}}"
	switch {
	case apierrors.IsUnauthorized(err):
		e.fail(e.Server, "renew the credentials in the kubeconfig, or "+where, "the API server does not know us: %v", err)
		return
	case err != nil:
		e.fail(e.Server, where, "the API server does not answer: %v", cause(ctx, err))
		return
	}
	review := &authenticationv1.SelfSubjectReview{}
	err = e.Client.Create(ctx, review)
	user := review.Status.UserInfo.Username
	switch {
	case apierrors.IsUnauthorized(err):
		e.fail(e.Server, "renew the credentials in the kubeconfig, or "+where, "the API server does not know us: %v", err)
	case err != nil || user == "":
		// An older API server does not tell; the commands then have a gap.
		e.ok(e.Server, "Kubernetes %s", version.GitVersion)
	default:
		e.we = kubectlSubject(user)
		e.ok(e.Server, "Kubernetes %s, where we are %s", version.GitVersion, user)
	}
}

// kubectlSubject names a user as kubectl create rolebinding does.
func kubectlSubject(user string) string {
	if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		return "--serviceaccount=" + account
	}
	return "--user=" + user
}
