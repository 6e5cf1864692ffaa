package hub

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/model"
)

// IsDecoder reports whether a directory holds a decoder-only model, for [LoadDecoder], by the model_type of its config.json;
// if not, it holds an encoder–decoder, for [LoadEncDec]. Another model_type is an error that lists those.
func IsDecoder(dir string) (bool, error) {
	dir = ResolveDir(dir)
	if !isDir(dir) {
		return false, fmt.Errorf("%s: no such model directory", dir)
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
