package lease

import (
	"errors"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Passing says whether a request to the API server that ended with this error
// is worth repeating: the server could not be reached, or had trouble of its
// own. One that restarts is away for some seconds.
func Passing(err error) bool {
	if errors.As(err, new(*url.Error)) {
		return true
	}
	answer, is := errors.AsType[*apierrors.StatusError](err)
	return is && (answer.ErrStatus.Code == http.StatusTooManyRequests || answer.ErrStatus.Code >= http.StatusInternalServerError)
}
