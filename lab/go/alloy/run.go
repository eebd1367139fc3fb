package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/fatih/color"
	"github.com/grafana/alloy/internal/alloyseed"
	"github.com/grafana/alloy/internal/build"
	"github.com/grafana/alloy/internal/featuregate"
	"github.com/grafana/alloy/internal/runtime"
	"github.com/grafana/alloy/internal/runtime/logging"
	"github.com/grafana/alloy/internal/runtime/tracing"
	"github.com/grafana/alloy/internal/service"
	"github.com/grafana/alloy/internal/service/http"
	"github.com/grafana/alloy/internal/service/labelstore"
	"github.com/grafana/alloy/internal/service/livedebugging"
	"github.com/grafana/alloy/internal/service/remotecfg"
	"github.com/grafana/alloy/internal/static/config/instrumentation"
	"github.com/grafana/alloy/syntax/diag"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
)

// settings are the flags of `alloy run`.
type settings struct {
	listen, memory, storage string
	profiling, noBundle     bool
	community               bool
	stability               featuregate.Stability
	shutdown                time.Duration
}

func runCommand() *cobra.Command {
	given := settings{stability: featuregate.StabilityGenerallyAvailable}
	command := &cobra.Command{
		Use:          "run [flags] path",
		Short:        "Run Grafana Alloy with a configuration file, or with all *.alloy files of a directory",
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
		RunE:         func(command *cobra.Command, args []string) error { return run(command.Context(), given, args[0]) },
	}
	flags := command.Flags()
	flags.StringVar(&given.listen, "server.http.listen-addr", "127.0.0.1:12345", "address to listen on")
	flags.StringVar(&given.memory, "server.http.memory-addr", "alloy.internal:12345", "address for in-memory traffic")
	flags.BoolVar(&given.profiling, "server.http.enable-pprof", true, "serve /debug/pprof")
	flags.BoolVar(&given.noBundle, "server.http.disable-support-bundle", false, "do not serve /-/support")
	flags.StringVar(&given.storage, "storage.path", "data-alloy/", "where components keep data")
	flags.Var(&given.stability, "stability.level", "minimum stability level of features to enable")
	flags.BoolVar(&given.community, "feature.community-components.enabled", false, "enable community components")
	flags.DurationVar(&given.shutdown, "feature.component-shutdown-deadline", 10*time.Minute,
		"how long a component may take to shut down before that is logged as an error")
	flags.Bool("disable-reporting", true, "accepted for the real command's sake: this one reports nothing")
	return command
}

func run(ctx context.Context, given settings, path string) error {
	var background sync.WaitGroup
	defer background.Wait()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	logger, err := logging.NewDeferred(os.Stderr)
	if err != nil {
		return fmt.Errorf("building the logger: %w", err)
	}
	log := logger.Slog()
	tracer, err := tracing.New(tracing.DefaultOptions)
	if err != nil {
		return fmt.Errorf("building the tracer: %w", err)
	}
	otel.SetTracerProvider(tracer)
	go func() {
		if err := tracer.Run(ctx); err != nil {
			log.Error("running tracer returned an error", "err", err)
		}
	}()
	if _, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithLogger(slog.New(logger.Handler()))); err != nil {
		log.Error("failed to apply memory limit", "err", err)
	}

	prometheus.MustRegister(build.NewCollector("alloy"))

	// The server needs both before the controller exists.
	var reload func() error
	ready := func() bool { return false }
	web := http.New(http.Options{
		Logger:           logger,
		Tracer:           tracer,
		Gatherer:         prometheus.DefaultGatherer,
		ReadyFunc:        func() bool { return ready() },
		ReloadFunc:       func() error { return reload() },
		HTTPListenAddr:   given.listen,
		MemoryListenAddr: given.memory,
		EnablePProf:      given.profiling,
		MinStability:     given.stability,
		BundleContext:    http.SupportBundleContext{DisableSupportBundle: given.noBundle},
	})
	// The server refers to it; without a block of that name in the configuration it asks nobody.
	remote, err := remotecfg.New(remotecfg.Options{
		Logger:      log.With("service", "remotecfg"),
		ConfigPath:  path,
		StoragePath: given.storage,
		Metrics:     prometheus.DefaultRegisterer,
	})
	if err != nil {
		return fmt.Errorf("creating the remotecfg service: %w", err)
	}
	alloyseed.Init(given.storage, log)
	controller, err := runtime.New(runtime.Options{
		Logger:               logger,
		Tracer:               tracer,
		DataPath:             given.storage,
		Reg:                  prometheus.DefaultRegisterer,
		MinStability:         given.stability,
		EnableCommunityComps: given.community,
		Services: []service.Service{
			web, labelstore.New(log, prometheus.DefaultRegisterer, true), livedebugging.New(), remote,
		},
		TaskShutdownDeadline: given.shutdown,
	})
	if err != nil {
		return err
	}
	ready = controller.Ready
	reload = func() error {
		_, err := load(controller, web, path)
		return err
	}
	background.Go(func() { controller.Run(ctx) })

	if sources, err := load(controller, web, path); err != nil {
		stop()
		return explained(err, sources)
	}
	log.Info("{^_^} Alloy is running")
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			if err := reload(); err != nil {
				log.Error("failed to reload config", "err", err)
			} else {
				log.Info("config reloaded")
			}
		}
	}
}

// load makes the configuration at path the running one, counts that, and gives what it read.
func load(controller *runtime.Runtime, web *http.Service, path string) (map[string][]byte, error) {
	sources, err := readSources(path)
	if err != nil {
		instrumentation.InstrumentConfig(false, digest(nil), "")
		return nil, fmt.Errorf("reading config path %q: %w", path, err)
	}
	parsed, err := runtime.ParseSources(sources)
	defer func() { instrumentation.InstrumentConfig(err == nil, digest(sources), "") }()
	if err != nil {
		return sources, fmt.Errorf("reading config path %q: %w", path, err)
	}
	web.SetSources(parsed.SourceFiles())
	if err = controller.LoadSource(parsed, nil, path); err != nil {
		return sources, fmt.Errorf("error during the initial load: %w", err)
	}
	return sources, nil
}

// explained prints the places that an error names, with the lines around them, and gives what is left to say.
func explained(err error, sources map[string][]byte) error {
	var places diag.Diagnostics
	if !errors.As(err, &places) {
		return err
	}
	printer := diag.NewPrinter(diag.PrinterConfig{Color: !color.NoColor, ContextLinesBefore: 1, ContextLinesAfter: 1})
	_ = printer.Fprint(os.Stderr, sources, places)
	return errors.New("could not perform the initial load successfully")
}
