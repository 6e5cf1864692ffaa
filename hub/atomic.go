package hub

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFileAtomic makes path hold what write produces, or leaves it exactly as it was.
//
// The bytes go to ".NAME.tmp" beside it, which is synced and renamed over path, and the directory is synced: a
// reader, and a machine that loses power, sees the whole old file or the whole new one. On any error (a full disk, say)
// the temporary file is removed and the old one stands. One writer at a time per path; what a killed one left behind
// is overwritten by the next. A symbolic link at path is followed, not replaced.
func WriteFileAtomic(path string, write func(w io.Writer) error) error {
	target, err := resolve(path)
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", path, err)
	}
	temporary := beside(target, "tmp")
	if err := writeSynced(temporary, write); err != nil {
		os.Remove(temporary)
		return unchanged(path, err)
	}
	if err := os.Rename(temporary, target); err != nil {
		os.Remove(temporary)
		return unchanged(path, err)
	}
	return syncDir(filepath.Dir(target))
}

// WriteBytesAtomic is [WriteFileAtomic] for bytes already in memory.
func WriteBytesAtomic(path string, data []byte) error {
	return WriteFileAtomic(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteDirAtomic makes dir hold exactly the files that fill writes into the empty directory it is given, or leaves dir
// as it was.
//
// fill works in ".NAME.tmp" beside dir; every file in it is synced, then the directory takes its place:
//   - dir did not exist: one rename.
//   - dir existed, on Linux and macOS: the two directories are exchanged in one atomic step (renameat2, renamex_np),
//     then the old one is removed. There is no moment without a whole dir.
//   - elsewhere: dir is renamed to ".NAME.old", the new one to dir, then the old one is removed. A crash between the two
//     renames leaves only ".NAME.old": [ResolveDir] reads it, and the next WriteDirAtomic puts it back first.
//
// One writer at a time per dir. Missing parents are made. Everything that dir held is replaced, so the caller must know
// that it is theirs to replace.
func WriteDirAtomic(dir string, fill func(tmp string) error) error {
	target, err := resolve(dir)
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", dir, err)
	}
	parent, temporary := filepath.Dir(target), beside(target, "tmp")
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fmt.Errorf("cannot save %s: %w", dir, err)
	}
	if err := putBack(target); err != nil {
		return unchanged(dir, err)
	}
	if err := fillSynced(temporary, fill); err != nil {
		os.RemoveAll(temporary)
		return unchanged(dir, err)
	}
	replaced, err := takePlace(temporary, target)
	if err != nil {
		os.RemoveAll(temporary)
		return unchanged(dir, err)
	}
	if err := syncDir(parent); err != nil {
		return err
	}
	if replaced == "" {
		return nil
	}
	if err := os.RemoveAll(replaced); err != nil {
		return fmt.Errorf("%s is saved, but its predecessor could not be removed: %w", dir, err)
	}
	return nil
}

// ResolveDir returns the directory that holds the last whole version of what [WriteDirAtomic] wrote to dir: dir
// itself, or after a crash between two renames the one that was moved aside. It changes nothing on disk.
func ResolveDir(dir string) string {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if old := beside(filepath.Clean(dir), "old"); isDir(old) {
			return old
		}
	}
	return dir
}

// resolve returns an absolute path with symbolic links followed, so that "beside it" is on the same file system.
// What does not exist yet is returned as it is.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("the path is empty")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		return real, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return absolute, nil
}

// beside names the working file or directory ".NAME.role" next to path.
func beside(path, role string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+role)
}

func isDir(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.IsDir()
}

func unchanged(path string, err error) error {
	if _, statErr := os.Stat(path); statErr == nil {
		return fmt.Errorf("cannot save %s (its previous version is unchanged): %w", path, err)
	}
	return fmt.Errorf("cannot save %s: %w", path, err)
}

// writeSynced creates or truncates path, lets write fill it through a buffer, and syncs it to the disk.
func writeSynced(path string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<16)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// fillSynced makes an empty directory, lets fill write into it and syncs all of it.
func fillSynced(dir string, fill func(tmp string) error) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	if err := fill(dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return syncDir(path)
		case entry.Type().IsRegular():
			return syncFile(path)
		}
		return nil
	})
}

// putBack ends a replacement in two renames that was interrupted: between them the old directory is put back, after
// them it is removed.
func putBack(target string) error {
	old := beside(target, "old")
	stat, err := os.Stat(target)
	switch {
	case err == nil && !stat.IsDir():
		return fmt.Errorf("%s is a file, not a directory", target)
	case err == nil:
		return os.RemoveAll(old)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if isDir(old) {
		return os.Rename(old, target)
	}
	return nil
}

// takePlace puts the finished directory temporary at target and returns where what stood there is now, if anything.
func takePlace(temporary, target string) (replaced string, err error) {
	if !isDir(target) {
		return "", os.Rename(temporary, target)
	}
	if err := exchange(temporary, target); err == nil {
		return temporary, nil
	}
	return takePlaceInTwoSteps(temporary, target)
}

// takePlaceInTwoSteps serves systems and file systems that cannot exchange two directories.
func takePlaceInTwoSteps(temporary, target string) (replaced string, err error) {
	old := beside(target, "old")
	if err := os.RemoveAll(old); err != nil {
		return "", err
	}
	if err := os.Rename(target, old); err != nil {
		return "", err
	}
	if err := os.Rename(temporary, target); err != nil {
		return "", errors.Join(err, os.Rename(old, target))
	}
	return old, nil
}
