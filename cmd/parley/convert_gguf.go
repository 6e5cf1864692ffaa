package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/hub"
)

// ggufTypes are the values of --type.
var ggufTypes = map[string]hub.DType{"f32": hub.F32, "f16": hub.F16, "bf16": hub.BF16}

func (a *app) convertGGUFCommand() *cobra.Command {
	var model, out, kind string
	var force bool
	c := &cobra.Command{
		Use:   "gguf -m DIR --out FILE",
		Short: "Write a language model as a GGUF file, which llama.cpp opens",
		Long: `Writes a decoder-only model with its tokenizer and chat template as one GGUF file, not quantised, which llama.cpp, and what is
built on it, opens and answers the same with: GPT-2, Llama, Mistral, Qwen2 and Qwen3.

Matrices become numbers of --type; vectors stay f32. A model published in bf16 loses nothing as bf16; f16 has finer steps but
a largest number, 65504. What GGUF or llama.cpp cannot express is an error that names it; where llama.cpp will only differ in
some cases, a note on standard error (or under "notes" with --json) says so.

The file also holds the directory's own configurations, so that parley -m FILE and parley convert hf lose nothing.`,
		Example: `  parley convert gguf -m DIR --out model.gguf
  parley convert gguf -m runs/shakespeare --out shakespeare.gguf --type bf16
  parley generate -m shakespeare.gguf --prompt "O Romeo"`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			as, known := ggufTypes[kind]
			if !known {
				return usagef("--type %q: must be f32, f16 or bf16", kind)
			}
			if hub.IsGGUF(model) {
				return fmt.Errorf("%s is a GGUF file already; its types cannot be changed but by way of parley convert hf", model)
			}
			if err := mayWrite(out, force); err != nil {
				return err
			}
			notes, err := hub.ConvertGGUF(hub.ModelDir(model), out, as)
			if err != nil {
				return err
			}
			return a.converted(out, notes)
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "model directory or run")
	f.StringVarP(&out, "out", "o", "", "file to write")
	f.StringVar(&kind, "type", "f16", "numbers of matrices: f32, f16 or bf16")
	f.BoolVar(&force, "force", false, "replace the file if there is one")
	c.MarkFlagRequired("model")
	c.MarkFlagRequired("out")
	return c
}

// mayWrite refuses to replace what is there without being told to.
func mayWrite(path string, force bool) error {
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && force:
		return nil
	case err == nil:
		return fmt.Errorf("%s exists; name another, or replace it with --force", path)
	}
	return err
}

// converted says what was written.
func (a *app) converted(out string, notes []string) error {
	var size int64
	err := filepath.WalkDir(out, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Path  string   `json:"path"`
			Bytes int64    `json:"bytes"`
			Notes []string `json:"notes"`
		}{out, size, append([]string{}, notes...)})
	}
	for _, note := range notes {
		fmt.Fprintf(a.err, "note: %s\n", note)
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%s: %.1f MB\n", out, float64(size)/1e6)
	}
	return nil
}
