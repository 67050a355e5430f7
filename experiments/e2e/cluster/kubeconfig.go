package cluster

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// writeKubeconfig writes a kubeconfig for the API server with the certificate
// of an identity, all of it in the one file.
func writeKubeconfig(in folder, file, who string) error {
	const name = "emco-chaos"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{
		Server:               "https://" + NodeAddress + ":" + apiPort,
		CertificateAuthority: in.pki("ca.crt"),
	}
	config.AuthInfos[who] = &clientcmdapi.AuthInfo{
		ClientCertificate: in.pki(who + ".crt"), ClientKey: in.pki(who + ".key"),
	}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: who}
	config.CurrentContext = name
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", who, err)
	}
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", who, err)
	}
	return nil
}

// writeEdgeKubeconfig writes the kubeconfig of the emulated edge cluster,
// which asks nobody who he is.
func writeEdgeKubeconfig(in folder) error {
	const name = "edge"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "http://" + EdgeAddress + ":" + edgePort}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, in.edge()); err != nil {
		return fmt.Errorf("write the kubeconfig of the edge cluster: %w", err)
	}
	return nil
}
