// Command dekuper-kubernetes is every Go part of the embedded cluster's control plane in one
// binary: one link, one copy of the shared packages. The name it is called by chooses the part.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var parts = map[string]func() int{
	"etcd":                    func() int { etcdmain.Main(os.Args); return 0 },
	"coredns":                 runCoreDNS,
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	// The command makes its own context of signals, which can be made only once.
	"kubelet": func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
	"kubectl": func() int { return cli.Run(kubectl.NewDefaultKubectlCommand()) },
}

func main() {
	name := filepath.Base(os.Args[0])
	part, ok := parts[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "%q is no part of the embedded cluster: call this binary by a part's name\n", name)
		os.Exit(2)
	}
	os.Exit(part())
}

// CoreDNS is compiled with the few plugins that the cluster's Corefile names, in their serving order.
func runCoreDNS() int {
	dnsserver.Directives = []string{"bind", "ready", "errors", "loadbalance", "kubernetes"}
	caddy.Quiet = true
	coremain.Run()
	return 0
}
