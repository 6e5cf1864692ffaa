//go:build !amd64

package kernel

// pause does nothing for a moment.
func pause(n uint32) {
	for range n {
	}
}
