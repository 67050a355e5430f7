package cluster

import "path/filepath"

// component is a process of the cluster.
type component struct {
	name    string
	program string // a path, or the name of one that the machine has
	// arguments are its flags.
	arguments []string
	// ready says when the next ones can start: a URL that answers with 200.
	ready string
}

func etcd(in folder) component {
	const address = "http://127.0.0.1:2379"
	return component{
		name: "etcd", program: "etcd", ready: address + "/health",
		arguments: []string{
			"--name=" + nodeName, "--data-dir=" + in.data("etcd"),
			"--listen-client-urls=" + address, "--advertise-client-urls=" + address,
			"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
			"--initial-cluster=" + nodeName + "=http://127.0.0.1:2380",
		},
	}
}

func containerd(in folder) component {
	return component{
		name: "containerd", program: "containerd",
		arguments: []string{"--config", in.config("containerd.toml")},
	}
}

func apiserver(in folder, built programs) component {
	return component{
		name: "kube-apiserver", program: built["kube-apiserver"],
		arguments: []string{
			// Not on loopback: pods reach it through its Service.
			"--bind-address=" + NodeAddress, "--advertise-address=" + NodeAddress, "--secure-port=" + apiPort,
			"--etcd-servers=http://127.0.0.1:2379",
			"--service-cluster-ip-range=" + serviceRange,
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
			"--client-ca-file=" + in.pki("ca.crt"),
			"--tls-cert-file=" + in.pki("apiserver.crt"), "--tls-private-key-file=" + in.pki("apiserver.key"),
			"--kubelet-certificate-authority=" + in.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
			"--kubelet-client-certificate=" + in.pki("admin.crt"), "--kubelet-client-key=" + in.pki("admin.key"),
			"--service-account-issuer=https://kubernetes.default.svc." + dnsDomain,
			"--service-account-key-file=" + in.pki("service-accounts.crt"),
			"--service-account-signing-key-file=" + in.pki("service-accounts.key"),
			"--profiling=false",
		},
	}
}

// others are the components that need the API server and nothing else.
func others(in folder, built programs) []component {
	client := func(who string) []string {
		file := in.config(who + ".kubeconfig")
		return []string{
			"--kubeconfig=" + file, "--authentication-kubeconfig=" + file, "--authorization-kubeconfig=" + file,
			"--bind-address=127.0.0.1", "--leader-elect=false", "--profiling=false",
		}
	}
	return []component{
		{
			name: "kube-controller-manager", program: built["kube-controller-manager"],
			arguments: append(client("controller-manager"),
				"--service-account-private-key-file="+in.pki("service-accounts.key"),
				"--root-ca-file="+in.pki("ca.crt"),
				"--cluster-signing-cert-file="+in.pki("ca.crt"), "--cluster-signing-key-file="+in.pki("ca.key"),
				"--use-service-account-credentials=true",
				"--flex-volume-plugin-dir="+in.data("volume-plugins")),
		},
		{name: "kube-scheduler", program: built["kube-scheduler"], arguments: client("scheduler")},
		{
			name: "kubelet", program: built["kubelet"],
			arguments: []string{
				"--kubeconfig=" + in.config("kubelet.kubeconfig"), "--config=" + in.config("kubelet.yaml"),
				"--root-dir=" + in.data("kubelet"), "--cert-dir=" + in.data("kubelet-pki"),
				"--hostname-override=" + nodeName, "--node-ip=" + NodeAddress,
			},
			ready: "http://127.0.0.1:10248/healthz",
		},
		{
			name: "kube-proxy", program: built["kube-proxy"],
			arguments: []string{
				"--kubeconfig=" + in.config("proxy.kubeconfig"), "--hostname-override=" + nodeName,
				"--proxy-mode=iptables", "--cluster-cidr=" + podRange,
				// The table of connections is the whole machine's.
				"--conntrack-max-per-core=0",
			},
			ready: "http://127.0.0.1:10256/healthz",
		},
		{
			name: "coredns", program: built["coredns"],
			arguments: []string{"-conf", in.config("Corefile")},
			ready:     "http://127.0.0.1:8181/ready",
		},
	}
}

// edgeCluster is the emulated edge cluster's API server: in no pod, so that
// nothing selects it.
func edgeCluster(in folder, built programs) component {
	return component{
		name: "edge", program: built["emco-emulator"],
		arguments: []string{"edge", "--listen", EdgeAddress + ":" + edgePort, "--data", in.data("edge")},
		ready:     "http://" + EdgeAddress + ":" + edgePort + "/version",
	}
}

// clients are the kubeconfigs of the components, by their identities.
func clients(in folder) map[string]string {
	files := map[string]string{in.kubeconfig(): "admin"}
	for _, who := range []string{"kubelet", "controller-manager", "scheduler", "proxy"} {
		files[in.config(who+".kubeconfig")] = who
	}
	return files
}

// folders are those that must be there before anything starts.
func folders(in folder) []string {
	return []string{
		in.path("config", "cni"), in.path("pki"), in.path("processes"), in.podLogs(),
		filepath.Dir(in.socket()), in.path("run"), in.data("volume-plugins"), in.data("emco"),
	}
}
