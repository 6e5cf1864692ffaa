package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Encoding says what the tokens of a text are.
type Encoding struct {
	Checksum string                                 // of the tokenizer
	Size     int                                    // ids are below it
	Begin    int32                                  // stands before every document, and after the last; no text becomes it
	Append   func(dst []int32, text string) []int32 // appends a text's ids; called by many goroutines at once
	Threads  int                                    // how many
}

// Store is the documents of some files as two streams of token ids, kept in a directory so that they are made once. Every
// document follows the id Begin, which also ends the last one: whoever predicts the next id learns where texts end.
type Store struct {
	Train, Validation *Stream
	Documents         int64  // in both
	HeldOut           int64  // in Validation; 0 where it is the end of the text
	Rebuilt           string // why the files were made anew: "" if they were not

	index   storeIndex
	streams []*Stream
}

const indexFile = "index.json"

// storeIndex is index.json, which is written last: without it the directory holds nothing.
type storeIndex struct {
	Version   int          `json:"version"`
	Tokenizer string       `json:"tokenizer"` // checksum
	Begin     int32        `json:"begin"`
	Width     int          `json:"bytes_per_id"`
	Format    string       `json:"format"`
	Field     string       `json:"field"`
	Separator string       `json:"separator"`
	Split     Split        `json:"split"`
	Files     []sourceFile `json:"files"`

	Train      int64 `json:"train_ids"`
	Validation int64 `json:"validation_ids"`
	Documents  int64 `json:"documents"`
	HeldOut    int64 `json:"documents_held_out"`
}

// sourceFile is how a file is known again: by its contents, or without reading it by size and time of its last change.
type sourceFile struct {
	Path   string    `json:"path"`
	Bytes  int64     `json:"bytes"`
	Time   time.Time `json:"modified"`
	SHA256 string    `json:"sha256"`
}

const storeVersion = 1

// Tokenize opens the store in dir. Where there is none yet, or the tokenizer, the files' contents or the way they are read
// have changed since, it is made: the files are read in memory that does not grow with them, and encoded on all threads. If ctx ends
// before, nothing is left.
func (t *Texts) Tokenize(ctx context.Context, dir string, e Encoding, split Split) (*Store, error) {
	old, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	index, err := t.index(e, split, old)
	if err != nil {
		return nil, err
	}
	rebuilt := ""
	if why := index.differs(old); why != "" {
		rebuilt = why
		if err := t.build(ctx, dir, e, &index); err != nil {
			return nil, err
		}
	} else {
		index = *old
	}
	s, err := openStore(dir, index)
	if err != nil {
		return nil, err
	}
	s.Rebuilt = rebuilt
	return s, nil
}

// Changed says what in the tokenizer, the files or the way they are read is not as it was when the store in dir was made;
// "" if nothing is, or there is no store.
func (t *Texts) Changed(dir string, e Encoding, split Split) (string, error) {
	old, err := readIndex(dir)
	if old == nil || err != nil {
		return "", err
	}
	index, err := t.index(e, split, old)
	if err != nil {
		return "", err
	}
	return index.differs(old), nil
}

// Checksum is one of the contents of all files, and of the way they are read.
func (s *Store) Checksum() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %+v\n", s.index.Format, s.index.Field, s.index.Separator, s.index.Split)
	for _, f := range s.index.Files {
		fmt.Fprintln(h, f.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Close gives the files back; the streams must not be read any more.
func (s *Store) Close() error {
	var errs []error
	for _, one := range s.streams {
		errs = append(errs, one.close())
	}
	return errors.Join(errs...)
}

func readIndex(dir string) (*storeIndex, error) {
	path := filepath.Join(dir, indexFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var i storeIndex
	if err := json.Unmarshal(text, &i); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if i.Width != 2 && i.Width != 4 || min(i.Train, i.Validation) < 0 {
		return nil, fmt.Errorf("%s: damaged; remove the directory, and it is made anew", path)
	}
	return &i, nil
}

// index describes the store that the present files would make. Files that are as the old one knows them are not read.
func (t *Texts) index(e Encoding, split Split, old *storeIndex) (storeIndex, error) {
	i := storeIndex{
		Version: storeVersion, Tokenizer: e.Checksum, Begin: e.Begin, Width: 2,
		Format: t.Format, Field: t.field(), Separator: t.Separator, Split: split,
	}
	if e.Size > 1<<16 {
		i.Width = 4
	}
	for n, path := range t.Files {
		file, inside := path, ""
		if archive, within, ok := archived(path); ok {
			file, inside = archive, " "+within
		}
		stat, err := os.Stat(file)
		if err != nil {
			return i, err
		}
		f := sourceFile{Path: path, Bytes: stat.Size(), Time: stat.ModTime().UTC()}
		if old != nil && n < len(old.Files) {
			f.SHA256 = old.Files[n].SHA256
		}
		if old == nil || n >= len(old.Files) || f != old.Files[n] {
			if f.SHA256, err = checksum(file); err != nil {
				return i, err
			}
			f.SHA256 += inside
		}
		i.Files = append(i.Files, f)
	}
	return i, nil
}

func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// differs says what is not as in an older index.
func (i *storeIndex) differs(old *storeIndex) string {
	switch {
	case old == nil:
		return "there was none"
	case i.Version != old.Version:
		return "it was made by another version of the program"
	case i.Tokenizer != old.Tokenizer || i.Begin != old.Begin || i.Width != old.Width:
		return "the tokenizer has changed"
	case i.Format != old.Format || i.Field != old.Field || i.Separator != old.Separator:
		return "format, field or separator have changed"
	case i.Split != old.Split:
		return "what is held out has changed"
	case len(i.Files) != len(old.Files):
		return fmt.Sprintf("there are %d files, and there were %d", len(i.Files), len(old.Files))
	}
	for n, f := range i.Files {
		if f.SHA256 != old.Files[n].SHA256 {
			return f.Path + " has changed"
		}
	}
	return ""
}

func openStore(dir string, i storeIndex) (*Store, error) {
	s := &Store{index: i, Documents: i.Documents, HeldOut: i.HeldOut}
	for _, one := range []struct {
		name string
		ids  int64
		to   **Stream
	}{{"train", i.Train, &s.Train}, {"validation", i.Validation, &s.Validation}} {
		opened, err := openStream(dir, one.name, one.ids, i.Width)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.streams = append(s.streams, opened)
		*one.to = opened
	}
	if i.Split.AtEnd {
		ids := s.Train.Len()
		border := int64(float64(ids) * (1 - i.Split.Share))
		s.Train, s.Validation = s.Train.part(0, border), s.Train.part(border, ids)
	}
	return s, nil
}
