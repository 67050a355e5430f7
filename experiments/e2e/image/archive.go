package image

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Write writes the image as one archive, which container runtimes
// (ctr images import), engines (docker load, podman load) and tools (crane
// push, skopeo copy oci-archive:…) take as it is: an OCI layout that also has
// the older manifest.json. A file that is there already is replaced whole or
// not at all.
func (i *Image) Write(path string) error {
	if err := i.replace(path); err != nil {
		return fmt.Errorf("write the image %s to %s: %w", i.Name(), path, err)
	}
	return nil
}

func (i *Image) replace(path string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if err := i.archive(file); err != nil {
		file.Close()
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// blob is one part of the image, stored under its digest.
type blob struct {
	digest v1.Hash
	open   func() (io.ReadCloser, error)
	size   int64
}

func (b blob) path() string { return "blobs/" + b.digest.Algorithm + "/" + b.digest.Hex }

func (i *Image) archive(to io.Writer) error {
	digest, err := i.image.Digest()
	if err != nil {
		return err
	}
	manifest, err := i.image.RawManifest()
	if err != nil {
		return err
	}
	parsed, err := i.image.Manifest()
	if err != nil {
		return err
	}
	config, err := i.image.RawConfigFile()
	if err != nil {
		return err
	}
	layers, err := i.image.Layers()
	if err != nil {
		return err
	}
	blobs := make([]blob, 0, len(layers))
	older := olderManifest{Config: blob{digest: parsed.Config.Digest}.path(), RepoTags: []string{i.Name()}}
	for n, layer := range layers {
		described := parsed.Layers[n]
		blobs = append(blobs, blob{digest: described.Digest, open: layer.Compressed, size: described.Size})
		older.Layers = append(older.Layers, blobs[n].path())
	}
	index, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: parsed.MediaType, Digest: digest, Size: int64(len(manifest)),
			Annotations: map[string]string{
				"io.containerd.image.name":          i.fullName(),
				"org.opencontainers.image.ref.name": i.tag.TagStr(),
			},
		}},
	})
	if err != nil {
		return err
	}
	olderIndex, err := json.Marshal([]olderManifest{older})
	if err != nil {
		return err
	}

	writer := tar.NewWriter(to)
	for _, small := range []struct {
		path string
		data []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", index},
		{"manifest.json", olderIndex},
		{blob{digest: digest}.path(), manifest},
		{blob{digest: parsed.Config.Digest}.path(), config},
	} {
		if err := member(writer, small.path, int64(len(small.data))); err != nil {
			return err
		}
		if _, err := writer.Write(small.data); err != nil {
			return err
		}
	}
	for _, blob := range blobs {
		if err := blob.write(writer); err != nil {
			return err
		}
	}
	return writer.Close()
}

// olderManifest is an entry of manifest.json, as docker save writes it.
type olderManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func member(writer *tar.Writer, path string, size int64) error {
	return writer.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: path, Size: size, Mode: 0o644, ModTime: made, Format: tar.FormatPAX,
	})
}

func (b blob) write(writer *tar.Writer) error {
	content, err := b.open()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := member(writer, b.path(), b.size); err != nil {
		return err
	}
	_, err = io.Copy(writer, content)
	return err
}
