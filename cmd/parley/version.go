package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/internal/kernel"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and which instructions the kernels use here",
		Example: `  parley version
  parley version --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version      string `json:"version"`
				Revision     string `json:"revision,omitempty"`
				Go           string `json:"go"`
				Platform     string `json:"platform"`
				Instructions string `json:"instructions"`
				BF16         bool   `json:"bf16"`
			}{"devel", "", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, kernel.Active().String(), kernel.HasBF16()}
			if info, ok := debug.ReadBuildInfo(); ok {
				if info.Main.Version != "" && info.Main.Version != "(devel)" {
					v.Version = info.Main.Version
				}
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v.Revision = s.Value
					}
				}
			}
			if a.json {
				return a.printJSON(v)
			}
			_, err := fmt.Fprintf(a.out, "parley %s (%s, %s, kernels: %s)\n", v.Version, v.Go, v.Platform, v.Instructions)
			return err
		},
	}
}
