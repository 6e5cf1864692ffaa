//go:build amd64 && !linux

package kernel

// allowAMX says whether the process may use the tile registers; only of Linux it is known.
func allowAMX() bool { return false }
