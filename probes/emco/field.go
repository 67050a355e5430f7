package emco

// FieldError says what is wrong with one field of some input, and how to
// mend it.
type FieldError struct {
	// Field is the field's path, such as "given.dig".
	Field string
	// Problem says what is wrong.
	Problem string
	// Remedy says what to write instead.
	Remedy string
}

func (e *FieldError) Error() string {
	return e.Field + ": " + e.Problem + "; " + e.Remedy
}
