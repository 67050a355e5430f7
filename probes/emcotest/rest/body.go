package rest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
)

const largestForm = 16 << 20

const namePattern = `^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`

var validName = regexp.MustCompile(namePattern)

// Metadata is what every resource of EMCO has.
type Metadata struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	UserData1   string `json:"userData1"`
	UserData2   string `json:"userData2"`
}

// NameProblems returns what is wrong with names, one line each.
func NameProblems(names ...string) (problems []string) {
	for _, name := range names {
		if !validName.MatchString(name) {
			problems = append(problems, "Does not match pattern '"+namePattern+"'")
		}
	}
	return problems
}

// decode reads a resource from JSON. The text that answers an empty body depends on the resource.
func decode(body io.Reader, empty string, resource any) error {
	err := json.NewDecoder(body).Decode(resource)
	switch {
	case errors.Is(err, io.EOF):
		return BadRequest(empty)
	case err != nil:
		return Unprocessable(err.Error())
	default:
		return nil
	}
}

// Read reads the body of a call, and refuses one that has problems.
func Read(r *http.Request, body interface{ Problems() []string }) error {
	if err := decode(r.Body, "Empty body", body); err != nil {
		return err
	}
	return validate(body.Problems())
}

// validate turns problems into the answer that lists them.
func validate(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	rand.Shuffle(len(problems), func(i, j int) { problems[i], problems[j] = problems[j], problems[i] })
	return BadRequest("Invalid Input:\n" + strings.Join(problems, "\n"))
}

// form reads a multipart form: the resource in the field "metadata", and a file.
func form(r *http.Request, empty string, resource any) (file func() ([]byte, error), err error) {
	if err := r.ParseMultipartForm(largestForm); err != nil {
		return nil, Unprocessable(err.Error())
	}
	if err := decode(strings.NewReader(r.FormValue("metadata")), empty, resource); err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		part, _, err := r.FormFile("file")
		if err != nil {
			return nil, Unprocessable("Unable to process file")
		}
		defer part.Close()
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, Unprocessable("Unable to read file")
		}
		return content, nil
	}, nil
}

// Archive refuses what is not a gzipped tar file.
func Archive(content []byte) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err == nil {
		_, err = tar.NewReader(unzipped).Next()
	}
	if err != nil {
		return Unprocessable("Error in file format")
	}
	return nil
}
