package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
)

// The tags under which a resource's document has its values.
const (
	Data    = "data"
	Content = "content"
	State   = "stateInfo"
)

// Resource is what a Collection holds.
type Resource interface {
	// Key is the last part of the resource's path.
	Key() string
	// Problems lists what is wrong with the resource, one line each.
	Problems() []string
}

// Collection is the REST resources of one kind: create, list, get, delete.
type Collection[T Resource] struct {
	Store     *docstore.Client
	Path      string // below /v2/, with {wildcards}
	Item      string // the wildcards below Path that name one resource; default {name}
	Duplicate string // the text when the name is taken
	Missing   string // the text when there is none of that name
	NoneJSON  string // the body when there are none; default null
	EmptyBody string // the text when a POST has no body; default Empty body

	// File says that a POST is a form with a file, and checks the file. A GET then depends on its Accept header.
	File func(content []byte) error
	// Plain says that a created resource is answered with its JSON under the Content-Type of text.
	Plain bool
	// Before is asked before a resource is created or listed.
	Before func(ctx context.Context, r *http.Request) error
	// Prepare completes a resource before it is kept, and may refuse it.
	Prepare func(ctx context.Context, r *http.Request, resource *T) error
	// Created writes what else belongs to a new resource.
	Created func(ctx context.Context, key string) error
	// Remove deletes a resource; default is that the store refuses what is missing and what has children.
	Remove func(ctx context.Context, key string) error
	// List answers in place of the default.
	List Handler
}

// Register adds the collection's handlers.
func (c Collection[T]) Register(router *Router) {
	if c.Item == "" {
		c.Item = "{name}"
	}
	if c.NoneJSON == "" {
		c.NoneJSON = "null"
	}
	if c.EmptyBody == "" {
		c.EmptyBody = "Empty body"
	}
	if c.List == nil {
		c.List = c.list
	}
	if c.Remove == nil {
		c.Remove = c.Store.Remove
	}
	all, one := "/v2/"+c.Path, "/v2/"+c.Path+"/"+c.Item
	router.Handle(http.MethodPost, all, c.create)
	router.Handle(http.MethodGet, all, c.List)
	router.Handle(http.MethodGet, one, c.get)
	router.Handle(http.MethodDelete, one, c.remove)
}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// Expand replaces the wildcards of a path by a request's values.
func Expand(path string, r *http.Request) string {
	return wildcard.ReplaceAllStringFunc(path, func(name string) string { return r.PathValue(strings.Trim(name, "{}")) })
}

func (c Collection[T]) create(w http.ResponseWriter, r *http.Request) error {
	var resource T
	var file []byte
	if c.File == nil {
		if err := decode(r.Body, c.EmptyBody, &resource); err != nil {
			return err
		}
		if err := validate(resource.Problems()); err != nil {
			return err
		}
	} else {
		open, err := form(r, c.EmptyBody, &resource)
		if err != nil {
			return err
		}
		if err := validate(resource.Problems()); err != nil {
			return err
		}
		if file, err = open(); err != nil {
			return err
		}
		if err := c.File(file); err != nil {
			return err
		}
	}
	if err := c.keep(r, &resource, file); err != nil {
		return err
	}
	if c.Plain {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusCreated)
		return json.NewEncoder(w).Encode(resource)
	}
	return JSON(w, http.StatusCreated, resource)
}

func (c Collection[T]) keep(r *http.Request, resource *T, file []byte) error {
	ctx := r.Context()
	if c.Before != nil {
		if err := c.Before(ctx, r); err != nil {
			return err
		}
	}
	key := Expand(c.Path, r) + "/" + (*resource).Key()
	var there json.RawMessage
	err := c.Store.Find(ctx, key, Data, &there)
	if err == nil {
		return Conflict(c.Duplicate)
	}
	if !errors.Is(err, docstore.ErrNotFound) {
		return InsertError(err)
	}
	if c.Prepare != nil {
		if err := c.Prepare(ctx, r, resource); err != nil {
			return err
		}
	}
	if err := c.Store.Insert(ctx, key, c.parent(r), Data, resource); err != nil {
		return InsertError(err)
	}
	if c.File != nil {
		if err := c.Store.Insert(ctx, key, "", Content, file); err != nil {
			return InsertError(err)
		}
	}
	if c.Created != nil {
		return InsertError(c.Created(ctx, key))
	}
	return nil
}

// parent is the key of the resource that the collection is in, or "".
func (c Collection[T]) parent(r *http.Request) string {
	path := Expand(c.Path, r)
	if at := strings.LastIndex(path, "/"); at >= 0 {
		return path[:at]
	}
	return ""
}

func (c Collection[T]) list(w http.ResponseWriter, r *http.Request) error {
	if c.Before != nil {
		if err := c.Before(r.Context(), r); err != nil {
			return err
		}
	}
	entries, err := c.Store.List(r.Context(), Expand(c.Path, r)+"/", strings.Count(c.Item, "{"), Data)
	if err != nil {
		return FindError(err)
	}
	values := make([]json.RawMessage, len(entries))
	for i, entry := range entries {
		values[i] = entry.Value
	}
	if len(values) == 0 {
		return JSON(w, http.StatusOK, json.RawMessage(c.NoneJSON))
	}
	return JSON(w, http.StatusOK, values)
}

func (c Collection[T]) get(w http.ResponseWriter, r *http.Request) error {
	key := Expand(c.Path+"/"+c.Item, r)
	kind := "application/json"
	if c.File != nil {
		var err error
		if kind, _, err = mime.ParseMediaType(r.Header.Get("Accept")); err != nil {
			return problem(http.StatusNotAcceptable, err.Error())
		}
	}
	var resource json.RawMessage
	err := c.Store.Find(r.Context(), key, Data, &resource)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return NotFound(c.Missing)
	case err != nil:
		return FindError(err)
	}
	switch kind {
	case "application/json":
		return JSON(w, http.StatusOK, resource)
	case "application/octet-stream":
		var content []byte
		if err := c.Store.Find(r.Context(), key, Content, &content); err != nil {
			return FindError(err)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, err := w.Write(content)
		return err
	default:
		return problem(http.StatusMultipleChoices, "set Accept: multipart/form-data, application/json or application/octet-stream")
	}
}

func (c Collection[T]) remove(w http.ResponseWriter, r *http.Request) error {
	if err := c.Remove(r.Context(), Expand(c.Path+"/"+c.Item, r)); err != nil {
		var known *Problem
		if errors.As(err, &known) {
			return err
		}
		return RemoveError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Find reads a resource, or returns NotFound with a text.
func Find[T any](ctx context.Context, store *docstore.Client, key, missing string) (T, error) {
	var resource T
	err := store.Find(ctx, key, Data, &resource)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return resource, NotFound(missing)
	case err != nil:
		return resource, FindError(err)
	}
	return resource, nil
}

// FindAll reads all resources whose key is prefix plus depth parts, oldest first.
func FindAll[T any](ctx context.Context, store *docstore.Client, prefix string, depth int) ([]T, error) {
	entries, err := store.List(ctx, prefix, depth, Data)
	if err != nil {
		return nil, FindError(err)
	}
	resources := make([]T, len(entries))
	for i, entry := range entries {
		if err := json.Unmarshal(entry.Value, &resources[i]); err != nil {
			return nil, fmt.Errorf("documents below %s: %w", prefix, err)
		}
	}
	return resources, nil
}
