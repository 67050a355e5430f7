package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// File is one file, folder or symbolic link of an image.
type File struct {
	// Path is absolute.
	Path string
	// Source is the file on this machine that it is a copy of. Without one
	// the content is Data.
	Source string
	Data   []byte
	// Link makes it a symbolic link to another path of the image.
	Link string
	// Mode is its permissions; with fs.ModeDir it is a folder, and with
	// fs.ModeSticky in it, one that all can write to. 0 means 0644 for a file
	// and 0755 for a folder.
	Mode fs.FileMode
	// Owner is the number of the user and group that own it.
	Owner int
}

// Program is an executable at the path, a copy of source.
func Program(path, source string) File { return File{Path: path, Source: source, Mode: 0o755} }

// Folder is an empty folder.
func Folder(path string, mode fs.FileMode, owner int) File {
	return File{Path: path, Mode: mode | fs.ModeDir, Owner: owner}
}

// layerOf is one layer with the files, and the folders that they stand in,
// sorted by their paths.
func layerOf(files []File) (v1.Layer, error) {
	entries, err := withFolders(files)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	writer := tar.NewWriter(&content)
	for _, entry := range entries {
		if err := entry.write(writer); err != nil {
			return nil, fmt.Errorf("put in %s: %w", entry.Path, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("end the layer: %w", err)
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("make the layer: %w", err)
	}
	return layer, nil
}

func withFolders(files []File) ([]File, error) {
	entries := map[string]File{}
	for _, file := range files {
		if !path.IsAbs(file.Path) || path.Clean(file.Path) != file.Path || file.Path == "/" {
			return nil, fmt.Errorf("%q is no path for a file of an image: write an absolute one, in its shortest form", file.Path)
		}
		if _, again := entries[file.Path]; again {
			return nil, fmt.Errorf("%s is there twice", file.Path)
		}
		entries[file.Path] = file
	}
	for _, file := range files {
		for folder := path.Dir(file.Path); folder != "/"; folder = path.Dir(folder) {
			above, there := entries[folder]
			if !there {
				entries[folder] = Folder(folder, 0o755, 0)
			} else if !above.Mode.IsDir() {
				return nil, fmt.Errorf("%s stands in %s, which is not a folder", file.Path, folder)
			}
		}
	}
	sorted := make([]File, 0, len(entries))
	for _, entry := range entries {
		sorted = append(sorted, entry)
	}
	slices.SortFunc(sorted, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return sorted, nil
}

func (f File) write(writer *tar.Writer) error {
	header := &tar.Header{
		Name: strings.TrimPrefix(f.Path, "/"), Mode: int64(f.Mode.Perm()), ModTime: made,
		Uid: f.Owner, Gid: f.Owner, Format: tar.FormatPAX,
	}
	data := f.Data
	switch {
	case f.Mode.IsDir():
		header.Typeflag, header.Name, data = tar.TypeDir, header.Name+"/", nil
		if header.Mode == 0 {
			header.Mode = 0o755
		}
		if f.Mode&fs.ModeSticky != 0 {
			header.Mode |= 0o1000
		}
	case f.Link != "":
		header.Typeflag, header.Linkname, header.Mode, data = tar.TypeSymlink, f.Link, 0o777, nil
	default:
		header.Typeflag = tar.TypeReg
		if header.Mode == 0 {
			header.Mode = 0o644
		}
		if f.Source != "" {
			read, err := os.ReadFile(f.Source)
			if err != nil {
				return err
			}
			data = read
		}
		header.Size = int64(len(data))
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	_, err := writer.Write(data)
	return err
}
