package controller

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What whoever asks for a run must be allowed to do, in the controller's
// namespace. There is no such resource: it stands in roles alone.
const (
	runVerb     = "create"
	runGroup    = "emco-chaos.io"
	runResource = "runs"
)

// access says who may ask for runs, by the cluster's own word.
type access struct {
	cluster   client.Client
	namespace string
	// audiences are those of which a token must be for one; none is the API
	// server's own.
	audiences []string
}

// deniedError says why a request is not granted, and with which code.
type deniedError struct {
	code int
	text string
}

func (e *deniedError) Error() string { return e.text }

// uncheckedError says that it could not be found out whether a request is to be
// granted. Its cause is for the log: who asks has not shown any right yet.
type uncheckedError struct{ cause error }

func (e *uncheckedError) Error() string {
	return "the token could not be checked; the controller's log says why"
}

// bearer is the token of a request.
func bearer(request *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", &deniedError{http.StatusUnauthorized, "the request has no token; send that of a service account as Authorization: Bearer TOKEN"}
	}
	return token, nil
}

// check returns the name of the user whose token it is, if the user may ask for
// runs. A [*deniedError] says that it may not.
func (a *access) check(ctx context.Context, token string) (string, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: a.audiences}}
	if err := a.cluster.Create(ctx, review); err != nil {
		return "", &uncheckedError{fmt.Errorf("have the token checked: %w", err)}
	}
	meant := len(a.audiences) == 0 || slices.ContainsFunc(a.audiences, func(audience string) bool {
		return slices.Contains(review.Status.Audiences, audience)
	})
	if !review.Status.Authenticated || review.Status.Error != "" || !meant {
		return "", &deniedError{http.StatusUnauthorized, "the cluster does not know the token, or it is not meant for emco-chaos; send that of the service account that may ask for runs"}
	}
	user := review.Status.User
	question := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user.Extra),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: a.namespace, Verb: runVerb, Group: runGroup, Resource: runResource,
		},
	}}
	if err := a.cluster.Create(ctx, question); err != nil {
		return "", &uncheckedError{fmt.Errorf("have the rights of %s checked: %w", user.Username, err)}
	}
	if !question.Status.Allowed || question.Status.Denied {
		return "", &deniedError{http.StatusForbidden, fmt.Sprintf("%s may not ask for runs; a Role in namespace %s must allow it to %s %s.%s",
			user.Username, a.namespace, runVerb, runResource, runGroup)}
	}
	return user.Username, nil
}

func extra(from map[string]authenticationv1.ExtraValue) map[string]authorizationv1.ExtraValue {
	to := map[string]authorizationv1.ExtraValue{}
	for key, value := range from {
		to[key] = authorizationv1.ExtraValue(value)
	}
	return to
}
