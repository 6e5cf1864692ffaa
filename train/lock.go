package train

import (
	"fmt"
	"path/filepath"

	"github.com/gofrs/flock"
)

// lockFile is locked while somebody works in a run directory. The system lets go of it however a process ends.
const lockFile = ".lock"

// occupy keeps everybody else out of a run directory until free is called: two trainings in one would overwrite each other's
// checkpoints. It fails where somebody else is at work. A file system that cannot lock keeps nobody out.
func occupy(dir string) (free func(), err error) {
	lock := flock.New(filepath.Join(dir, lockFile))
	if alone, err := lock.TryLock(); err == nil && !alone {
		return nil, fmt.Errorf("%s: another process is training in this directory; wait until it has ended, or stop it", dir)
	}
	return func() { lock.Close() }, nil
}
