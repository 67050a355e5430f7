package emco

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// Request is a call of EMCO's REST API.
type Request struct {
	Method string
	// Anchor is the path below /v2/, as in emcoctl's resource files.
	Anchor string
	// Query is the URL's query, encoded, without the question mark.
	Query string
	// JSON is the body; nil means that there is none.
	JSON any
	// File makes the body a multipart form: JSON goes into its field
	// "metadata", the file into its field "file".
	File *File
	// Files make it such a form too, with each file in a field "files".
	Files []File
	// Raw, if not nil, is sent in place of all that and as it is: a body
	// that need not be JSON, and no headers but these and the token.
	Raw *Raw
}

// Raw is a body with the headers that go along with it.
type Raw struct {
	Header http.Header
	Body   []byte
}

// File is a file that goes along with a request.
type File struct {
	Name    string
	Content []byte
}

// Get asks for what is at an anchor.
func Get(anchor string) Request { return Request{Method: http.MethodGet, Anchor: anchor} }

// Delete removes what is at an anchor.
func Delete(anchor string) Request { return Request{Method: http.MethodDelete, Anchor: anchor} }

// Post posts to an anchor, such as one that ends in instantiate.
func Post(anchor string) Request { return Request{Method: http.MethodPost, Anchor: anchor} }

func (r Request) body() (body []byte, contentType string, err error) {
	if r.Raw != nil {
		return r.Raw.Body, "", nil
	}
	if r.JSON == nil {
		return nil, "", nil
	}
	document, err := json.Marshal(r.JSON)
	if err != nil {
		return nil, "", fmt.Errorf("encode the body of %s %s: %w", r.Method, r.Anchor, err)
	}
	if r.File == nil && len(r.Files) == 0 {
		return document, "application/json", nil
	}
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	if err := form.WriteField("metadata", string(document)); err != nil {
		return nil, "", err
	}
	attach := func(field string, file File) error {
		part, err := form.CreateFormFile(field, file.Name)
		if err != nil {
			return err
		}
		_, err = part.Write(file.Content)
		return err
	}
	if r.File != nil {
		if err := attach("file", *r.File); err != nil {
			return nil, "", err
		}
	}
	for _, file := range r.Files {
		if err := attach("files", file); err != nil {
			return nil, "", err
		}
	}
	if err := form.Close(); err != nil {
		return nil, "", err
	}
	return buffer.Bytes(), form.FormDataContentType(), nil
}

func newHTTPRequest(ctx context.Context, method string, u *url.URL, body []byte, contentType string) (*http.Request, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		return nil, err
	}
	// Without it http.Transport could send the request a second time.
	r.GetBody = nil
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	// EMCO answers a GET of a cluster without this header with 406.
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "emco-chaos")
	return r, nil
}

func withoutToken(text, token string) string {
	// A short token could be a piece of any word.
	if len(token) < 8 {
		return text
	}
	return strings.ReplaceAll(text, token, "[token]")
}
