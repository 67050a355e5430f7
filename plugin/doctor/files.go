package doctor

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
)

// checkFiles looks at the files that the target names: whether others can read its
// secrets, and whether the system under test can use the kubeconfigs that it is given.
func checkFiles(_ context.Context, e *examination, _ string) {
	if token := e.Target.Credentials.Token; token.File != "" {
		switch about, err := os.Stat(token.File); {
		case err != nil:
			e.say(Fail, token.File, "write the token into that file, or name another one under credentials of the target file", "the token cannot be read: %v", err)
		case about.Mode().Perm()&0o004 != 0:
			e.say(Warn, token.File, "chmod o-r "+token.File, "everybody on this machine can read the token (%v)", about.Mode().Perm())
		}
	}
	for _, file := range kubeconfigs(e.Target.Settings) {
		for _, unfit := range unfitFor(file, e.Target.Driver.Kubernetes == nil) {
			e.say(Warn, file, "name one in the target file with a token or a certificate, and an address that the cluster reaches", "the system under test is given this kubeconfig, %s", unfit)
		}
	}
}

// named is one subject when the target names such files.
func (e *examination) named() []string {
	if e.Target.Credentials.Token.File != "" || len(kubeconfigs(e.Target.Settings)) > 0 {
		return []string{""}
	}
	return nil
}

// kubeconfigs are the files of all keys kubeconfig in settings, sorted.
func kubeconfigs(settings map[string]any) (files []string) {
	for key, value := range settings {
		below, is := value.(map[string]any)
		if !is {
			continue
		}
		if file, is := below["file"].(string); is && key == "kubeconfig" {
			files = append(files, file)
		}
		files = append(files, kubeconfigs(below)...)
	}
	slices.Sort(files)
	return files
}

// unfitFor says why a kubeconfig is of no use, or of none elsewhere than here.
func unfitFor(file string, usedHere bool) (whys []string) {
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		return []string{fmt.Sprintf("which cannot be read: %v", err)}
	}
	if usedHere {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(config.AuthInfos)) {
		if program := config.AuthInfos[name].Exec; program != nil {
			whys = append(whys, fmt.Sprintf("whose credentials come from the program %s, which it does not have", program.Command))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(config.Clusters)) {
		cluster := config.Clusters[name]
		if cluster.ProxyURL != "" {
			whys = append(whys, "which has a proxy, "+cluster.ProxyURL)
		}
		address, err := url.Parse(cluster.Server)
		if err == nil && (address.Hostname() == "localhost" || net.ParseIP(address.Hostname()).IsLoopback()) {
			whys = append(whys, fmt.Sprintf("whose server %s is the machine itself, whichever that is", cluster.Server))
		}
	}
	return whys
}
