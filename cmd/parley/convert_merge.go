package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
)

func (a *app) convertMergeCommand() *cobra.Command {
	var (
		model, out, dtype string
		adapters          adapterFlag
		force             bool
	)
	c := &cobra.Command{
		Use:   "merge -m DIR --adapter DIR --out DIR",
		Short: "Merge LoRA adapters into their base model",
		Long: `Merge LoRA adapters into their base model: what comes out is a model directory of its own, as large and as fast as the
base, that opens wherever the base does. Without -m the base is the one that the first adapter names.`,
		Example: `  parley convert merge -m DIR --adapter runs/lora --out merged
  parley convert merge -m DIR --adapter polite:0.7 --adapter brief:0.3 --out both --dtype bf16`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case len(adapters) == 0:
				return usagef("merge what? give at least one --adapter DIR; see parley convert merge --help")
			case out == "":
				return usagef("where to? give --out DIR; see parley convert merge --help")
			}
			as := hub.DType(strings.ToUpper(dtype))
			if as != "" && as != hub.F32 && as != hub.F16 && as != hub.BF16 {
				return usagef("--dtype %s: must be f32, f16 or bf16", dtype)
			}
			if err := mayWrite(out, force); err != nil {
				return err
			}
			pool := kernel.NewPool(a.threads)
			defer pool.Close()
			var list []hub.WeightedAdapter
			for _, one := range adapters {
				list = append(list, hub.WeightedAdapter{Dir: one.dir, Weight: one.weight})
			}
			merged, err := hub.Merge(pool, model, list, out, as)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(merged)
			}
			fmt.Fprintf(a.out, "model:   %s (%s parameters, %s)\n", out, count(merged.Parameters), strings.ToLower(string(merged.DType)))
			fmt.Fprintf(a.out, "merged:  %d linear layers of %s\n", merged.Modules, merged.Base)
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "base model or run (default: as the first adapter names it)")
	adapters.define(f)
	f.StringVarP(&out, "out", "o", "", "directory to write")
	f.BoolVar(&force, "force", false, "replace the directory if there is one; one that holds no model is never replaced")
	f.StringVar(&dtype, "dtype", "", "type of the weights that are written: f32, f16 or bf16 (default: as the base has them)")
	return c
}
