// Package edge stands where an edge cluster's API server is: it holds the Kubernetes objects that rsync applies.
package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"gopkg.in/yaml.v3"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

const (
	lockTimeout = 5 * time.Second
	largestBody = 4 << 20
)

var bucket = []byte("objects")

// object is a Kubernetes object as it was applied.
type object = map[string]any

func kindOf(o object) string { return text(o["kind"]) }

func nameOf(o object) string {
	metadata, _ := o["metadata"].(map[string]any)
	return text(metadata["name"])
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// Server keeps objects in a file. It answers
//
//	GET /version                                                    that it is there
//	GET /objects                                                    all objects, as a JSON array
//	GET /api/v1/…, /apis/GROUP/VERSION/…                            an object, or a list of them, by Kubernetes' paths
//	PATCH, DELETE …/namespaces/NAMESPACE/PLURAL/NAME                apply (JSON or YAML), delete
type Server struct {
	db *bbolt.DB
}

// Open opens the file at path, or makes it. What the server has answered outlives a SIGKILL of its process.
func Open(path string) (*Server, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, NoSync: true, NoGrowSync: true})
	if err != nil {
		return nil, fmt.Errorf("open edge objects %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare edge objects %s: %w", path, err), db.Close())
	}
	return &Server{db: db}, nil
}

// Serve answers on listener until ctx ends, then closes listener and the file.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"major": "1", "minor": "34", "gitVersion": "v1.34.2"})
	})
	mux.HandleFunc("GET /objects", func(w http.ResponseWriter, _ *http.Request) { s.list(w, "") })
	mux.HandleFunc("/api/", s.kubernetes)
	mux.HandleFunc("/apis/", s.kubernetes)

	err := rest.Serve(ctx, listener, mux)
	return errors.Join(err, s.db.Close())
}

// kubernetes answers a path below /api or /apis. An object is kept under the path it is applied to.
func (s *Server) kubernetes(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	named := isNamed(path)
	switch {
	case r.Method == http.MethodGet && strings.Count(path, "/") == strings.Count(groupOf(path), "/"):
		s.kinds(w, path)
	case r.Method == http.MethodGet && named:
		s.get(w, path)
	case r.Method == http.MethodGet:
		s.list(w, path)
	case r.Method == http.MethodPatch && named:
		s.apply(w, r)
	case r.Method == http.MethodDelete && named:
		s.remove(w, path)
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "the server does not allow this method on the requested resource")
	}
}

// isNamed says whether a path leads to one object: it ends in namespaces/NAMESPACE/PLURAL/NAME.
func isNamed(path string) bool {
	_, below, namespaced := strings.Cut(path, "/namespaces/")
	return namespaced && strings.Count(below, "/") == 2
}

func namespaceOf(path string) string {
	_, below, _ := strings.Cut(path, "/namespaces/")
	namespace, _, _ := strings.Cut(below, "/")
	return namespace
}

func (s *Server) get(w http.ResponseWriter, path string) {
	var raw []byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		raw = append(raw, tx.Bucket(bucket).Get([]byte(path))...)
		return nil
	})
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError, "InternalError", err.Error())
	case raw == nil:
		refuse(w, http.StatusNotFound, "NotFound", path+" not found")
	default:
		answer(w, http.StatusOK, json.RawMessage(raw))
	}
}

// list answers the objects below path: of one namespace, or, when path names none, of all.
func (s *Server) list(w http.ResponseWriter, path string) {
	objects := []json.RawMessage{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(key, raw []byte) error {
			if path == "" || strings.HasPrefix(string(key), path+"/") || collection(string(key)) == path {
				objects = append(objects, append(json.RawMessage(nil), raw...))
			}
			return nil
		})
	})
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError, "InternalError", err.Error())
	case path == "":
		answer(w, http.StatusOK, objects)
	default:
		answer(w, http.StatusOK, map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{}, "items": objects})
	}
}

// groupOf is the part of a path that names an API's group and version.
func groupOf(path string) string {
	parts := strings.Split(path, "/")
	if parts[1] == "apis" {
		return strings.Join(parts[:min(4, len(parts))], "/")
	}
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// kinds answers which kinds of object a group has: those of which it has one, now.
func (s *Server) kinds(w http.ResponseWriter, group string) {
	resources := []map[string]any{}
	_ = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(key, raw []byte) error {
			var one object
			if groupOf(string(key)) != group || json.Unmarshal(raw, &one) != nil {
				return nil
			}
			kind := map[string]any{"name": plural(kindOf(one)), "kind": kindOf(one), "namespaced": true}
			if !slices.ContainsFunc(resources, func(r map[string]any) bool { return r["kind"] == kind["kind"] }) {
				resources = append(resources, kind)
			}
			return nil
		})
	})
	answer(w, http.StatusOK, map[string]any{"kind": "APIResourceList", "groupVersion": strings.TrimPrefix(group, "/"), "resources": resources})
}

// collection is the path under which an object is listed over all namespaces.
func collection(path string) string {
	group, below, _ := strings.Cut(path, "/namespaces/")
	parts := strings.Split(below, "/")
	return group + "/" + parts[min(1, len(parts)-1)]
}

func (s *Server) apply(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	var applied object
	if err := yaml.Unmarshal(body, &applied); err != nil || nameOf(applied) == "" || kindOf(applied) == "" {
		refuse(w, http.StatusBadRequest, "BadRequest", "the object provided has no kind or no name, or is no YAML")
		return
	}
	if metadata, ok := applied["metadata"].(map[string]any); ok {
		metadata["namespace"] = namespaceOf(r.URL.Path)
	}
	raw, err := json.Marshal(applied)
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(r.URL.Path), raw) })
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError", err.Error())
		return
	}
	answer(w, http.StatusOK, applied)
}

func (s *Server) remove(w http.ResponseWriter, path string) {
	missing := false
	err := s.db.Update(func(tx *bbolt.Tx) error {
		missing = tx.Bucket(bucket).Get([]byte(path)) == nil
		return tx.Bucket(bucket).Delete([]byte(path))
	})
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError, "InternalError", err.Error())
	case missing:
		refuse(w, http.StatusNotFound, "NotFound", path+" not found")
	default:
		answer(w, http.StatusOK, map[string]string{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	}
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code,
	})
}
