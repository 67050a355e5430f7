package emco

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// Request is a call of EMCO's REST API.
type Request struct {
	Method string
	Anchor string // the path below /v2/, as in emcoctl's resource files
	Query  string // the URL's, encoded, without the question mark
	JSON   any    // the body, if any
	// File and Files make the body a multipart form: JSON goes into its field
	// "metadata", File into its field "file", and Files into fields "files".
	File  *File
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

type File struct {
	Name    string
	Content []byte
}

// Get, Delete and Post are requests without a body.
func Get(anchor string) Request    { return Request{Method: http.MethodGet, Anchor: anchor} }
func Delete(anchor string) Request { return Request{Method: http.MethodDelete, Anchor: anchor} }
func Post(anchor string) Request   { return Request{Method: http.MethodPost, Anchor: anchor} }

func (r Request) body() (body []byte, contentType string, err error) {
	switch {
	case r.Raw != nil:
		return r.Raw.Body, "", nil
	case r.JSON == nil:
		return nil, "", nil
	}
	metadata, err := json.Marshal(r.JSON)
	if err != nil {
		return nil, "", fmt.Errorf("encode the body of %s %s: %w", r.Method, r.Anchor, err)
	}
	if r.File == nil && len(r.Files) == 0 {
		return metadata, "application/json", nil
	}
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	attach := func(field string, file File) {
		part, _ := form.CreateFormFile(field, file.Name)
		_, _ = part.Write(file.Content)
	}
	// Nothing here can fail: the buffer takes everything.
	_ = form.WriteField("metadata", string(metadata))
	if r.File != nil {
		attach("file", *r.File)
	}
	for _, file := range r.Files {
		attach("files", file)
	}
	_ = form.Close()
	return buffer.Bytes(), form.FormDataContentType(), nil
}

func (r Request) http(ctx context.Context, u *url.URL, token string) (*http.Request, error) {
	body, contentType, err := r.body()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	// With it http.Transport could send the request a second time.
	request.GetBody = nil
	// EMCO answers a GET of a cluster without Accept with 406.
	header := http.Header{"Accept": {"application/json"}}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	if r.Raw != nil {
		header = r.Raw.Header
	}
	request.Header.Set("User-Agent", "emco-chaos")
	maps.Copy(request.Header, header)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}

func withoutToken(text, token string) string {
	if len(token) < 8 { // it could be a piece of any word
		return text
	}
	return strings.ReplaceAll(text, token, "[token]")
}
