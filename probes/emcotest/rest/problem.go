package rest

import (
	"errors"
	"net/http"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
)

// InternalError is the text of EMCO's answers that do not say what happened.
const InternalError = "The server encountered an internal error and was unable to complete your request."

// Problem is an error that knows how EMCO answers it.
type Problem struct {
	Status int
	Text   string
}

func (p *Problem) Error() string { return p.Text }

func problem(status int, text string) *Problem { return &Problem{Status: status, Text: text} }

// NotFound is 404 with a text.
func NotFound(text string) *Problem { return problem(http.StatusNotFound, text) }

// Conflict is 409 with a text.
func Conflict(text string) *Problem { return problem(http.StatusConflict, text) }

// BadRequest is 400 with a text.
func BadRequest(text string) *Problem { return problem(http.StatusBadRequest, text) }

// Unprocessable is 422 with a text.
func Unprocessable(text string) *Problem { return problem(http.StatusUnprocessableEntity, text) }

// Failure is 500 with a text.
func Failure(text string) *Problem { return problem(http.StatusInternalServerError, text) }

// The document store's part in an error decides its text, where the service itself has none.
var (
	errFind   = Failure("Error finding referencing resources")
	errInsert = Failure("Error adding or updating referencing resources")
	errRemove = Failure("Error removing referencing resources")
	errParent = Conflict("Cannot perform requested operation. Parent resource not found")
	errChild  = Conflict("Cannot delete parent without deleting child references first")
	errGone   = NotFound("The requested resource not found")
)

// FindError is how EMCO answers when it could not read from the store.
func FindError(err error) error { return storeError(err, errFind) }

// InsertError is how EMCO answers when it could not write to the store.
func InsertError(err error) error { return storeError(err, errInsert) }

// RemoveError is how EMCO answers when it could not remove from the store.
func RemoveError(err error) error { return storeError(err, errRemove) }

func storeError(err error, otherwise *Problem) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, docstore.ErrParentMissing):
		return errParent
	case errors.Is(err, docstore.ErrHasChildren):
		return errChild
	case errors.Is(err, docstore.ErrNotFound):
		return errGone
	default:
		return otherwise
	}
}

// Cause is the innermost error, whose text EMCO often answers alone.
func Cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
