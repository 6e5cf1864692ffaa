package hub

import "path/filepath"

// ModelDir returns the model directory inside a run of `parley train`, or dir itself if that is no run.
func ModelDir(dir string) string {
	if inRun := filepath.Join(dir, "model"); isFile(filepath.Join(dir, "recipe.toml")) && isDir(ResolveDir(inRun)) {
		return inRun
	}
	return dir
}
