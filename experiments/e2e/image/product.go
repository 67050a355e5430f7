package image

import (
	"io/fs"
	"path/filepath"
)

const (
	// Binaries is the folder of the image with the programs.
	Binaries = "/usr/local/bin"
	// Plugins is the folder for plugins that are added to the image: on PATH,
	// and empty.
	Plugins = "/plugins"
	// Certificates is the file with the certificate authorities.
	Certificates = "/etc/ssl/certs/ca-certificates.crt"
	// User owns nothing and is not root. The number is the one that images
	// without a distribution have made usual for that.
	User = "65532:65532"
)

// user is User's number.
const user = 65532

// Source is a program of the image, and the package that it is built from.
type Source struct{ Program, Package string }

// Programs are the programs of the image. The plugin stands beside
// emco-chaos, which looks there for it.
func Programs() []Source {
	return []Source{
		{"emco-chaos", "./plugin/cmd/emco-chaos"},
		{"emco-chaos-plugin-emco", "./plugin/cmd/emco-chaos-plugin-emco"},
		{"emco-probe", "./probes/cmd/emco-probe"},
	}
}

// Product is the image of emco-chaos: its programs out of a folder, built for
// the architecture, and the certificate authorities. No shell, and nothing
// that is not needed.
func Product(name, version, architecture, folder string) Spec {
	files := []File{
		{Path: Certificates, Data: Authorities()},
		Folder(Plugins, 0o755, user),
		Folder("/tmp", 0o777|fs.ModeSticky, 0),
	}
	for _, source := range Programs() {
		files = append(files, Program(Binaries+"/"+source.Program, filepath.Join(folder, source.Program)))
	}
	return Spec{
		Name:         name,
		Architecture: architecture,
		Files:        files,
		Entrypoint:   []string{Binaries + "/emco-chaos"},
		User:         User,
		Env:          []string{"PATH=" + Binaries + ":" + Plugins},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "emco-chaos",
			"org.opencontainers.image.description": "Chaos experiments for EMCO, the Edge Multi-Cluster Orchestrator",
			"org.opencontainers.image.version":     version,
			"org.opencontainers.image.licenses":    "Apache-2.0",
		},
	}
}
