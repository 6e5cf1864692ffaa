package hub

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/model"
)

// IsDecoder reports whether a directory holds a decoder-only model, for [LoadDecoder], by the model_type of its config.json, or
// is a GGUF file; if not, it holds an encoder–decoder, for [LoadEncDec]. Anything else is an error that lists these.
func IsDecoder(dir string) (bool, error) {
	if IsGGUF(dir) {
		return true, nil
	}
	dir = ResolveDir(dir)
	if err := checkModelDir(dir); err != nil {
		return false, err
	}
	config, err := ReadConfig(filepath.Join(dir, "config.json"))
	if err != nil {
		return false, err
	}
	kind, err := config.StringOr("model_type", "")
	if err != nil {
		return false, err
	}
	families := model.DecoderFamilies()
	if kind != "marian" && !slices.Contains(families, kind) {
		return false, config.errorf("model_type", "marian, "+strings.Join(families[:len(families)-1], ", ")+" or "+families[len(families)-1])
	}
	return kind != "marian", nil
}

// formats says what models may be stored as.
const formats = "Parley reads directories as transformers saves them (config.json, model.safetensors, tokenizer.json), runs of parley train, and GGUF files"

// checkModelDir says what is the matter with a path that is no model directory.
func checkModelDir(dir string) error {
	switch {
	case isFile(dir):
		return fmt.Errorf("%s: neither a model directory nor a GGUF file; %s", dir, formats)
	case !isDir(dir):
		return fmt.Errorf("%s: no such model directory", dir)
	case isFile(filepath.Join(dir, "config.json")):
		return nil
	}
	hint := ""
	if files, _ := filepath.Glob(filepath.Join(dir, "*.gguf")); len(files) > 0 {
		hint = "; name the file, " + files[0]
	}
	return fmt.Errorf("%s: there is no config.json in it; %s%s", dir, formats, hint)
}
