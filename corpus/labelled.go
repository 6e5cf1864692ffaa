package corpus

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Labelled is texts, each of one class.
type Labelled struct {
	Texts  []string
	Class  []int32  // of each text, a number of Labels
	Labels []string // the classes' names

	Empty     int      // texts without anything, left out
	Unwanted  int      // texts of labels that were not asked for, left out
	Contended int      // texts that stand there with one label and again with another; they are kept
	First     []string // where the first few of those that are empty or contended are, as file:line
}

// mostPlaces is how many places a report names.
const mostPlaces = 5

// LabelledFiles says how files of labelled texts are to be read: [LabelledFiles.Read].
type LabelledFiles struct {
	Field      string   // key or column of the text; "": "text"
	LabelField string   // key or column of the label; "": "label"
	Labels     []string // those that are wanted, in this order; nil: all that occur, sorted
}

// Read reads labelled texts, each file by its name:
//
//   - .jsonl: an object a line, whose label is a string, a number or true or false
//   - .tsv and .csv: columns by the names in the first line; a number as name means that there is no such line, and counts
//     columns from 1
//   - a directory, or one in a tar archive as in "aclImdb.tar.gz/aclImdb/train": a directory in it for each label, with a
//     file for each text
//
// Files of the first kinds may be compressed. Errors say file and line.
func (f LabelledFiles) Read(names []string) (*Labelled, error) {
	r := labelledReader{LabelledFiles: f, class: map[string]int32{}, seen: map[[32]byte]int32{}}
	if r.Field == "" {
		r.Field = "text"
	}
	if r.LabelField == "" {
		r.LabelField = "label"
	}
	for i, label := range f.Labels {
		r.class[label] = int32(i)
	}
	r.out.Labels = slices.Clone(f.Labels)
	for _, name := range names {
		if err := r.read(name); err != nil {
			return nil, err
		}
	}
	if len(r.out.Texts) == 0 {
		return nil, fmt.Errorf("%s: there is no labelled text", strings.Join(names, ", "))
	}
	if f.Labels == nil {
		r.sortLabels()
	}
	return &r.out, nil
}

type labelledReader struct {
	LabelledFiles
	out   Labelled
	class map[string]int32
	seen  map[[32]byte]int32 // the class of each text
}

func (r *labelledReader) read(name string) error {
	if file, inside, ok := archived(name); ok {
		return eachMember(file, inside, func(member string, text io.Reader) error {
			return r.member(path.Join(filepath.ToSlash(file), inside), member, text)
		})
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return r.directory(name)
	}
	plain := strings.ToLower(name)
	for _, packed := range []string{".gz", ".zst"} {
		plain = strings.TrimSuffix(plain, packed)
	}
	switch filepath.Ext(plain) {
	case ".jsonl", ".ndjson":
		return EachLine(name, r.object)
	case ".tsv", ".tab":
		return r.table(name, func(line []byte) ([]string, error) { return strings.Split(string(line), "\t"), nil })
	case ".csv":
		return r.csv(name)
	}
	return fmt.Errorf("%s: labelled texts are read from .jsonl, .tsv and .csv files, directories with one for each label, and such directories in tar archives", name)
}

// directory reads one with a directory for each label.
func (r *labelledReader) directory(root string) error {
	return filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == root {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		name, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		f, err := os.Open(at)
		if err != nil {
			return err
		}
		defer f.Close()
		return r.member(root, filepath.ToSlash(name), f)
	})
}

// member takes LABEL/FILE as a text of that label; files elsewhere, such as lists of addresses, are none.
func (r *labelledReader) member(root, name string, text io.Reader) error {
	label, file := path.Split(name)
	label = strings.TrimSuffix(label, "/")
	if label == "" || strings.Contains(label, "/") || FormatOf(file) != PlainText {
		return nil
	}
	if _, wanted := r.class[label]; !wanted && r.Labels != nil {
		r.out.Unwanted++
		return nil
	}
	where := path.Join(root, name)
	data, err := readMember(where, text)
	if err != nil {
		return err
	}
	if err := r.add(where, string(data), label); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// object takes a JSON object.
func (r *labelledReader) object(where string, line []byte) error {
	text, err := textField(line, r.Field)
	if err != nil {
		return err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return err
	}
	raw, ok := object[r.LabelField]
	label := string(raw)
	switch {
	case !ok:
		return fmt.Errorf("there is no %q (data.label_field names the key of the label)", r.LabelField)
	case len(raw) > 0 && raw[0] == '"':
		if err := json.Unmarshal(raw, &label); err != nil {
			return err
		}
	case label == "null" || raw[0] == '{' || raw[0] == '[':
		return fmt.Errorf("%q must be a string, a number, true or false", r.LabelField)
	}
	return r.add(where, text, label)
}

// columns finds the two columns in the first line, and says whether that line is a row already.
func (r *labelledReader) columns(header []string) (text, label int, row bool, err error) {
	find := func(key, name string) (int, bool) {
		if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= len(header) && !slices.Contains(header, name) {
			return n - 1, true
		}
		at := slices.Index(header, name)
		if at < 0 {
			err = fmt.Errorf("no column is called %q (%s names it, or numbers it from 1 where the first line is no heading); there are %.200q", name, key, header)
		}
		return at, false
	}
	text, row = find("data.field", r.Field)
	label, numbered := find("data.label_field", r.LabelField)
	if err == nil && row != numbered {
		err = fmt.Errorf("data.field = %q and data.label_field = %q: name both or number both", r.Field, r.LabelField)
	}
	return text, label, row, err
}

// table reads a file whose lines split into columns.
func (r *labelledReader) table(name string, split func(line []byte) ([]string, error)) error {
	text, label := -1, -1
	return EachLine(name, func(where string, line []byte) error {
		cells, err := split(line)
		if err != nil {
			return err
		}
		if text < 0 {
			var row bool
			if text, label, row, err = r.columns(cells); err != nil || !row {
				return err
			}
		}
		if len(cells) <= max(text, label) {
			return fmt.Errorf("has %d columns, needs %d", len(cells), 1+max(text, label))
		}
		return r.add(where, cells[text], cells[label])
	})
}

// csv reads records as RFC 4180 quotes them.
func (r *labelledReader) csv(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	stream, err := decompressed(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := skipMark(name, stream); err != nil {
		return err
	}
	bounded := &recordReader{r: stream, left: MaxLine}
	records := csv.NewReader(bounded)
	records.ReuseRecord = true
	text, label := -1, -1
	for {
		bounded.left = MaxLine
		cells, err := records.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		line, _ := records.FieldPos(0)
		where := fmt.Sprintf("%s:%d", name, line)
		if text < 0 {
			var row bool
			if text, label, row, err = r.columns(cells); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			} else if !row {
				continue
			}
		}
		if err := r.add(where, cells[text], cells[label]); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
}

// add keeps a text.
func (r *labelledReader) add(where, text, label string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("not UTF-8 at byte %d of the text", 1+invalidAt([]byte(text)))
	}
	class, known := r.class[label]
	switch {
	case !known && r.Labels != nil:
		r.out.Unwanted++
		return nil
	case strings.TrimSpace(text) == "":
		r.out.Empty++
		r.place(where)
		return nil
	case !known:
		class = int32(len(r.class))
		r.class[label] = class
		r.out.Labels = append(r.out.Labels, label)
	}
	key := sha256.Sum256([]byte(text))
	if before, twice := r.seen[key]; twice && before != class {
		r.out.Contended++
		r.place(where)
	}
	r.seen[key] = class
	r.out.Texts, r.out.Class = append(r.out.Texts, text), append(r.out.Class, class)
	return nil
}

func (r *labelledReader) place(where string) {
	if len(r.out.First) < mostPlaces {
		r.out.First = append(r.out.First, where)
	}
}

// sortLabels numbers the classes in the order of their names.
func (r *labelledReader) sortLabels() {
	sorted := slices.Sorted(slices.Values(r.out.Labels))
	number := make([]int32, len(sorted))
	for i, label := range r.out.Labels {
		number[i] = int32(slices.Index(sorted, label))
	}
	for i, c := range r.out.Class {
		r.out.Class[i] = number[c]
	}
	r.out.Labels = sorted
}

// HoldOut parts the texts by a hash of each, as [Split] does: equal texts go to the same side.
func (l *Labelled) HoldOut(seed uint64, share float64) (train, held *Labelled) {
	split := Split{Seed: seed, Share: share}
	train, held = &Labelled{Labels: l.Labels}, &Labelled{Labels: l.Labels}
	for i, text := range l.Texts {
		side := train
		if split.holdsOut(text) {
			side = held
		}
		side.Texts, side.Class = append(side.Texts, text), append(side.Class, l.Class[i])
	}
	return train, held
}

// Fingerprint is a hash of all texts, labels and names.
func (l *Labelled) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", l.Labels)
	for i, text := range l.Texts {
		fmt.Fprintf(h, "%d %d ", l.Class[i], len(text))
		io.WriteString(h, text)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Notes tells what was left out or is odd, a line each.
func (l *Labelled) Notes() []string {
	var notes []string
	if l.Empty > 0 {
		notes = append(notes, fmt.Sprintf("%d texts without anything in them are left out", l.Empty))
	}
	if l.Unwanted > 0 {
		notes = append(notes, fmt.Sprintf("%d texts of other labels than %s are left out", l.Unwanted, strings.Join(l.Labels, ", ")))
	}
	if l.Contended > 0 {
		notes = append(notes, fmt.Sprintf("%d texts stand there with one label and again with another", l.Contended))
	}
	if len(l.First) > 0 {
		notes = append(notes, "the first of them: "+strings.Join(l.First, ", "))
	}
	return notes
}
