package controller

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
)

// The right that asking for a run needs, in the controller's namespace. There is
// no such resource: it stands in roles alone.
const (
	runVerb     = "create"
	runGroup    = "emco-chaos.io"
	runResource = "runs"
)

// authorize returns the user of the request's token, whom the cluster allows to
// ask for runs.
func (h *handler) authorize(ctx context.Context, request *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", unauthorized("the request has no token; send that of a service account as Authorization: Bearer TOKEN")
	}
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: h.Audiences}}
	if err := h.Cluster.Create(ctx, review); err != nil {
		return "", unchecked(fmt.Errorf("have the token checked: %w", err))
	}
	meant := len(h.Audiences) == 0 || slices.ContainsFunc(h.Audiences, func(audience string) bool {
		return slices.Contains(review.Status.Audiences, audience)
	})
	if !review.Status.Authenticated || review.Status.Error != "" || !meant {
		return "", unauthorized("the cluster does not know the token, or it is not meant for emco-chaos; send that of the service account that may ask for runs")
	}
	user := review.Status.User
	question := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: h.Namespace, Verb: runVerb, Group: runGroup, Resource: runResource,
		},
	}}
	for key, value := range user.Extra {
		question.Spec.Extra[key] = authorizationv1.ExtraValue(value)
	}
	if err := h.Cluster.Create(ctx, question); err != nil {
		return "", unchecked(fmt.Errorf("have the rights of %s checked: %w", user.Username, err))
	}
	if !question.Status.Allowed || question.Status.Denied {
		return "", &statusError{code: http.StatusForbidden, text: fmt.Sprintf("%s may not ask for runs; a Role in namespace %s must allow it to %s %s.%s",
			user.Username, h.Namespace, runVerb, runResource, runGroup)}
	}
	return user.Username, nil
}

func unauthorized(text string) error {
	return &statusError{code: http.StatusUnauthorized, text: text}
}

func unchecked(cause error) error {
	return &statusError{code: http.StatusServiceUnavailable, text: "the token could not be checked; the controller's log says why", cause: cause}
}
