package corpus

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Formats of files of documents.
const (
	PlainText = "text"
	JSONL     = "jsonl"
	CSV       = "csv"
	Parquet   = "parquet"
)

// endings are what the names of files end in, by format; .gz or .zst may follow.
var endings = map[string]string{
	".txt": PlainText, ".text": PlainText, ".md": PlainText, ".jsonl": JSONL, ".ndjson": JSONL, ".csv": CSV, ".parquet": Parquet,
}

// FormatOf returns the format that a file's name tells, or "".
func FormatOf(path string) string {
	name := strings.ToLower(filepath.Base(path))
	for _, packed := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, packed)
	}
	return endings[filepath.Ext(name)]
}

// Expand returns the files that names stand for, each once, in the order of the names and sorted within each: a file is
// itself, a directory all files in and below it whose names tell a format, hidden ones left out, a tar archive or a
// directory in one, as in "reviews.tar.gz/reviews/train", the plain text files there, and anything else a pattern as [filepath.Match] reads it, of which hidden files are left out too. A name that stands for nothing is an error.
func Expand(names []string) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	for _, name := range names {
		found, err := expand(name)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if !seen[f] {
				seen[f] = true
				files = append(files, f)
			}
		}
	}
	return files, nil
}

func expand(name string) ([]string, error) {
	if _, _, ok := archived(name); ok {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		matches, bad := filepath.Glob(name)
		if bad != nil {
			return nil, fmt.Errorf("%s: %w", name, bad)
		}
		if len(matches) == 0 {
			return nil, err
		}
		matches = slices.DeleteFunc(matches, func(path string) bool {
			return isDirectory(path) || strings.HasPrefix(filepath.Base(path), ".")
		})
		if len(matches) == 0 {
			return nil, fmt.Errorf("%s: matches directories and hidden files alone; name one of them, or the files in them", name)
		}
		return matches, nil // sorted by Glob
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := path != name && strings.HasPrefix(d.Name(), ".")
		switch {
		case hidden && d.IsDir():
			return fs.SkipDir
		case !hidden && !d.IsDir() && FormatOf(path) != "":
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no file in this directory ends in %s (and .gz or .zst, if compressed)", name, knownEndings())
	}
	return files, err
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func knownEndings() string {
	var list []string
	for e := range endings {
		list = append(list, e)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
