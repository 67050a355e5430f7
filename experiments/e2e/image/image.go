// Package image makes container images out of static binaries, without a
// container engine. The same files give the same image, bit for bit, on every
// machine and at every time.
package image

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// made is the time of everything in an image. Whoever asks when an image was
// made asks its labels.
var made = time.Unix(0, 0).UTC()

// Spec says what an image is made of.
type Spec struct {
	// Name is the image's name with its tag, as it stands in a pod.
	Name string
	// Architecture is Go's word for it, such as amd64.
	Architecture string
	// Files are all that the image has, in any order. The folders that they
	// stand in need no mention.
	Files []File
	// Entrypoint and Command are what a container runs.
	Entrypoint, Command []string
	// User is who runs it; as a number, so that a cluster can tell that it
	// is not root.
	User string
	// Env is the environment, each NAME=VALUE.
	Env []string
	// WorkingDirectory is where it runs; empty for the root.
	WorkingDirectory string
	Labels           map[string]string
}

// Image is an image that was made.
type Image struct {
	name  string
	tag   name.Tag
	image v1.Image
}

// Build makes the image.
func Build(spec Spec) (*Image, error) {
	tag, err := name.NewTag(spec.Name)
	if err != nil {
		return nil, fmt.Errorf("the image's name %q: %w; write it as NAME:TAG", spec.Name, err)
	}
	if !strings.HasSuffix(spec.Name, ":"+tag.TagStr()) {
		return nil, fmt.Errorf("the image's name %q has no tag; write it as NAME:TAG", spec.Name)
	}
	if spec.Architecture == "" {
		return nil, fmt.Errorf("the image %s has no architecture; write one of Go's, such as amd64", spec.Name)
	}
	layer, err := layerOf(spec.Files)
	if err != nil {
		return nil, fmt.Errorf("make the image %s: %w", spec.Name, err)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: made}, CreatedBy: "emco-chaos"},
	})
	if err != nil {
		return nil, fmt.Errorf("make the image %s: %w", spec.Name, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("make the image %s: %w", spec.Name, err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", spec.Architecture, v1.Time{Time: made}
	config.Config = v1.Config{
		Entrypoint: slices.Clone(spec.Entrypoint),
		Cmd:        slices.Clone(spec.Command),
		User:       spec.User,
		Env:        slices.Clone(spec.Env),
		WorkingDir: spec.WorkingDirectory,
		Labels:     maps.Clone(spec.Labels),
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, fmt.Errorf("make the image %s: %w", spec.Name, err)
	}
	return &Image{name: spec.Name, tag: tag, image: image}, nil
}

// Name is the image's name with its tag.
func (i *Image) Name() string { return i.name }

// fullName is the name as a cluster's container runtime looks for it.
func (i *Image) fullName() string {
	return strings.Replace(i.tag.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}

// Digest is the digest of the image's manifest, sha256:HEX: what a registry
// and a container runtime know it by.
func (i *Image) Digest() (string, error) {
	digest, err := i.image.Digest()
	if err != nil {
		return "", fmt.Errorf("digest of the image %s: %w", i.Name(), err)
	}
	return digest.String(), nil
}
