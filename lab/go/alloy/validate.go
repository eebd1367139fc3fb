package main

import (
	"errors"
	"os"

	"github.com/grafana/alloy/internal/component"
	"github.com/grafana/alloy/internal/featuregate"
	"github.com/grafana/alloy/internal/service"
	"github.com/grafana/alloy/internal/service/http"
	"github.com/grafana/alloy/internal/service/labelstore"
	"github.com/grafana/alloy/internal/service/livedebugging"
	"github.com/grafana/alloy/internal/service/remotecfg"
	"github.com/grafana/alloy/internal/validator"
	"github.com/spf13/cobra"
)

func validateCommand() *cobra.Command {
	stability := featuregate.StabilityGenerallyAvailable
	community := false
	command := &cobra.Command{
		Use:          "validate [flags] file",
		Short:        "Validate a configuration file",
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
		RunE: func(_ *cobra.Command, args []string) error {
			sources, err := readSources(args[0])
			if err != nil {
				return err
			}
			err = validator.Validate(validator.Options{
				Sources: sources,
				ServiceDefinitions: definitions(
					&http.Service{}, &labelstore.Service{}, &livedebugging.Service{}, &remotecfg.Service{},
				),
				ComponentRegistry: component.NewDefaultRegistry(stability, community),
				MinStability:      stability,
			})
			if err != nil {
				validator.Report(os.Stderr, err, sources)
				return errors.New("validation failed")
			}
			return nil
		},
	}
	command.Flags().Var(&stability, "stability.level", "Minimum stability level of features to enable")
	command.Flags().BoolVar(&community, "feature.community-components.enabled", community, "Enable community components")
	return command
}

func definitions(services ...service.Service) []service.Definition {
	made := make([]service.Definition, 0, len(services))
	for _, one := range services {
		made = append(made, one.Definition())
	}
	return made
}
