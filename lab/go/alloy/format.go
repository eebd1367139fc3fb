package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grafana/alloy/syntax/parser"
	"github.com/grafana/alloy/syntax/printer"
	"github.com/spf13/cobra"
)

func formatCommand() *cobra.Command {
	write, test := false, false
	command := &cobra.Command{
		Use:          "fmt [flags] file",
		Aliases:      []string{"format"},
		Short:        "Format a configuration file, or standard input where the file is - or missing",
		Args:         cobra.RangeArgs(0, 1),
		SilenceUsage: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if write && test {
				return errors.New("cannot use -w/--write and -t/--test at the same time")
			}
			if len(args) == 0 || args[0] == "-" {
				if write {
					return errors.New("cannot use -w with standard input")
				}
				source, err := io.ReadAll(os.Stdin)
				if err != nil {
					return err
				}
				return format("<stdin>", source, write, test)
			}
			source, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			return format(args[0], source, write, test)
		},
	}
	command.Flags().BoolVarP(&write, "write", "w", write, "write the result to the file instead of standard output")
	command.Flags().BoolVarP(&test, "test", "t", test, "exit with non-zero when changes would be made")
	return command
}

func format(name string, source []byte, write, test bool) error {
	file, err := parser.ParseFile(name, source)
	if err != nil {
		return err
	}
	var formatted bytes.Buffer
	if err := printer.Fprint(&formatted, file); err != nil {
		return err
	}
	formatted.WriteByte('\n')
	switch {
	case test && !bytes.Equal(source, formatted.Bytes()):
		return fmt.Errorf("file %s is not formatted correctly", name)
	case test:
		return nil
	case write:
		return os.WriteFile(name, formatted.Bytes(), 0o644)
	default:
		_, err = formatted.WriteTo(os.Stdout)
		return err
	}
}
