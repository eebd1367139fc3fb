// Command alloy is Grafana Alloy with the components that handle log lines: its own packages under a small main, since
// its whole command needs modules that no proxy serves. Its commands and flags are those of the real one that matter
// here, under the same names and with the same defaults, so that one command line serves both. It has no web interface,
// no clustering and no conversion from other formats, and it never reports its usage.
package main

import (
	"os"

	"github.com/grafana/alloy/internal/build"
	"github.com/spf13/cobra"
)

func main() {
	command := &cobra.Command{
		Use:     "alloy [global options] <subcommand>",
		Short:   "Grafana Alloy",
		Version: build.Print("alloy"),
		RunE:    func(command *cobra.Command, _ []string) error { return command.Usage() },
	}
	command.SetVersionTemplate("{{ .Version }}\n")
	command.AddCommand(runCommand(), validateCommand(), formatCommand())
	if err := command.Execute(); err != nil {
		os.Exit(1)
	}
}
