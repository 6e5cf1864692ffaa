package corpus

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// archiveEndings are what the names of tar archives end in.
var archiveEndings = []string{".tar", ".tar.gz", ".tgz", ".tar.zst"}

// archived takes a name apart that leads into a tar archive, as "aclImdb.tar.gz/aclImdb/train" does: the archive's file, and
// the path within it, "" for all of it. ok is false where no file on the way is called like an archive.
func archived(name string) (file, inside string, ok bool) {
	for file = filepath.Clean(name); ; {
		for _, ending := range archiveEndings {
			if info, err := os.Stat(file); strings.HasSuffix(strings.ToLower(file), ending) && err == nil && info.Mode().IsRegular() {
				return file, path.Clean(filepath.ToSlash(inside)), true
			}
		}
		parent, last := filepath.Split(file)
		if parent = filepath.Clean(parent); last == "" || parent == file {
			return "", "", false
		}
		file, inside = parent, filepath.Join(last, inside)
	}
}

// eachMember calls yield for every regular file of an archive in and below a directory in it, with its path from there on, in
// the order of the archive. Hidden files are left out. text must be read before yield returns, if at all.
func eachMember(file, inside string, yield func(name string, text io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	stream, err := decompressed(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	found := false
	for members := tar.NewReader(stream); ; {
		h, err := members.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: not a tar archive, or a damaged one: %w", file, err)
		}
		name := path.Clean(h.Name)
		if inside != "." {
			rest, below := strings.CutPrefix(name, inside+"/")
			if !below {
				continue
			}
			name = rest
		}
		found = true
		if h.Typeflag != tar.TypeReg || strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		if err := yield(name, members); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s: there is nothing in the archive below %q", file, inside)
	}
	return nil
}

// mostMember bounds what is read of one file of an archive, in bytes.
const mostMember = MaxLine

// readMember reads a file of an archive whole. Errors name it by path.
func readMember(path string, text io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(text, mostMember+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > mostMember {
		return nil, fmt.Errorf("%s: has more than %d bytes; unpack the archive", path, mostMember)
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

// archive reads the plain text files of an archive, each as one document or as the separator cuts it.
func (t *Texts) archive(file, inside string, yield func(Document) bool) error {
	texts := 0
	err := eachMember(file, inside, func(name string, text io.Reader) error {
		if FormatOf(name) != PlainText {
			return nil
		}
		texts++
		path := path.Join(filepath.ToSlash(file), inside, name)
		data, err := readMember(path, text)
		if err != nil {
			return err
		}
		p := plainText{path: path, separator: t.Separator, line: 1, yield: yield}
		_, err = p.emit(data, true, MostText)
		return err
	})
	if err == nil && texts == 0 {
		err = fmt.Errorf("%s: no file in the archive below %q is plain text by its name (.txt, .md)", file, inside)
	}
	return err
}
