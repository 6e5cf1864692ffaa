//go:build !linux && !darwin

package hub

import "errors"

// exchange is not offered by this system: directories are replaced in two renames.
func exchange(a, b string) error { return errors.ErrUnsupported }
