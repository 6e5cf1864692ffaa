// Package recipes carries the training recipes that come with the program. Package train reads them; start at
// train.LoadRecipe.
package recipes

import "embed"

// Files holds the recipes as NAME.toml.
//
//go:embed *.toml
var Files embed.FS
