// Command cadvisor serves cAdvisor's container and machine metrics: the collectors are cAdvisor's own library, since
// its command is not published as a Go module. Its flags are the ones of the real command that matter for metrics,
// under the same names and with the same defaults, so that one command line serves both; there is no web interface.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	_ "github.com/google/cadvisor/container/docker/install"
	"github.com/google/cadvisor/lib/cache/memory"
	"github.com/google/cadvisor/lib/container"
	_ "github.com/google/cadvisor/lib/fs/overlay/install"
	_ "github.com/google/cadvisor/lib/fs/tmpfs/install"
	_ "github.com/google/cadvisor/lib/fs/vfs/install"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/metrics"
	"github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/google/cadvisor/lib/version"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

var (
	address     = flag.String("listen_ip", "", "IP to listen on; all by default")
	port        = flag.Int("port", 8080, "port to listen on")
	endpoint    = flag.String("prometheus_endpoint", "/metrics", "path of the metrics")
	storage     = flag.Duration("storage_duration", 2*time.Minute, "how long samples are kept in memory")
	storeLabels = flag.Bool("store_container_labels", true, "turn a container's labels and environment into metric labels")
	labels      = flag.String("whitelisted_container_labels", "", "container labels to keep with --store_container_labels=false, comma-separated")
	environment = flag.String("env_metadata_whitelist", "", "prefixes of environment variables to keep, comma-separated")
	cgroups     = flag.String("raw_cgroup_prefix_whitelist", "", "cgroup prefixes to report even with --docker_only, comma-separated")
	showVersion = flag.Bool("version", false, "print the version and exit")

	// What the real command leaves out by default.
	disabled = container.MetricSet{
		container.CPUSetMetrics:                  {},
		container.CPUTopologyMetrics:             {},
		container.HugetlbUsageMetrics:            {},
		container.MemoryNumaMetrics:              {},
		container.NetworkAdvancedTcpUsageMetrics: {},
		container.NetworkTcpUsageMetrics:         {},
		container.NetworkUdpUsageMetrics:         {},
		container.ProcessMetrics:                 {},
		container.ProcessSchedulerMetrics:        {},
		container.ReferencedMemoryMetrics:        {},
		container.ResctrlMetrics:                 {},
	}
	enabled = container.MetricSet{}
)

func main() {
	flag.Var(&disabled, "disable_metrics", "metric groups to leave out, comma-separated")
	flag.Var(&enabled, "enable_metrics", "metric groups to serve, comma-separated; overrides --disable_metrics")
	klog.InitFlags(nil)
	flag.Parse()
	if *showVersion {
		fmt.Printf("cAdvisor version %s\n", version.Version)
		return
	}
	included := enabled
	if len(included) == 0 {
		included = container.AllMetrics.Difference(disabled)
	}

	m, err := manager.New(memory.New(*storage, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags, included,
		strings.Split(*cgroups, ","), strings.Split(*environment, ","), "", 0)
	if err != nil {
		klog.Fatalf("cannot create the manager: %v", err)
	}
	if err := m.Start(); err != nil {
		klog.Fatalf("cannot start the manager: %v", err)
	}

	containerLabels := metrics.DefaultContainerLabels
	if !*storeLabels {
		containerLabels = metrics.BaseContainerLabels(strings.Split(*labels, ","))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(m, containerLabels, included, clock.RealClock{},
			model.RequestOptions{IdType: model.TypeName, Count: 1, Recursive: true}),
		metrics.NewPrometheusMachineCollector(m, included),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	http.Handle(*endpoint, promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		if err := m.Stop(); err != nil {
			klog.Errorf("cannot stop the manager: %v", err)
		}
		os.Exit(0)
	}()
	klog.Infof("cAdvisor %s listens on %s:%d", version.Version, *address, *port)
	klog.Fatal(http.ListenAndServe(fmt.Sprintf("%s:%d", *address, *port), nil))
}
