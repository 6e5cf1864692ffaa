package corpus

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// MostText is about how many bytes of one text are handed out at a time; a longer one comes in parts.
const MostText = 1 << 20

// Document is a text of a corpus, or a part of a long one. It holds more than white space.
type Document struct {
	Text      string
	Continues bool // it goes on with the text of the document before
}

// Texts are the documents of some files.
type Texts struct {
	Files     []string // as [Expand] returns them
	Format    string   // PlainText, JSONL, CSV or Parquet; "": what each name tells, plain text where it tells nothing
	Field     string   // of JSONL, CSV and Parquet: where the text stands; "": "text"
	Separator string   // of plain text: what stands between documents; "": a file is one
}

// All reads all documents in order, in memory that does not grow with them. An error says file and line, and is the last
// that is yielded. How text is read is told at the head of the package; the line break beside a separator belongs to it.
func (t *Texts) All() iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for _, path := range t.Files {
			blank := false // the document so far
			for d, err := range t.file(path) {
				d.Continues = d.Continues && !blank
				if blank = err == nil && !d.Continues && strings.TrimSpace(d.Text) == ""; blank {
					continue
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// file reads one file.
func (t *Texts) file(path string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		if file, inside, ok := archived(path); ok {
			if err := t.archive(file, inside, func(d Document) bool { return yield(d, nil) }); err != nil && err != errEnough {
				yield(Document{}, err)
			}
			return
		}
		format := t.Format
		if format == "" {
			format = FormatOf(path)
		}
		f, err := os.Open(path)
		if err != nil {
			yield(Document{}, err)
			return
		}
		defer f.Close()
		read := map[string]func(*os.File, string, func(Document) bool) error{
			"": t.plainText, PlainText: t.plainText, JSONL: t.jsonl, CSV: t.csv, Parquet: t.parquet,
		}[format]
		if read == nil {
			panic(fmt.Sprintf("corpus: format %q", format))
		}
		if err := read(f, path, func(d Document) bool { return yield(d, nil) }); err != nil && err != errEnough {
			yield(Document{}, err)
		}
	}
}

// errEnough ends a reading whose consumer wants no more.
var errEnough = errors.New("enough")

func (t *Texts) field() string {
	if t.Field == "" {
		return "text"
	}
	return t.Field
}

// jsonl reads an object a line.
func (t *Texts) jsonl(f *os.File, path string, yield func(Document) bool) error {
	lines, err := newLines(path, f)
	if err != nil {
		return err
	}
	for {
		line, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(strings.TrimSpace(string(line))) == 0 {
			continue
		}
		text, err := textField(line, t.field())
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, lines.Number(), err)
		}
		if !yield(Document{Text: text}) {
			return errEnough
		}
	}
}

// textField returns the string at a key of a JSON object.
func textField(line []byte, field string) (string, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return "", fmt.Errorf("must be a JSON object: %w", err)
	}
	raw, ok := object[field]
	if !ok {
		var keys []string
		for k := range object {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return "", fmt.Errorf("there is no %q (data.field names the key of the text); there are %.200q", field, keys)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil || raw[0] != '"' {
		return "", fmt.Errorf("%q must be a string", field)
	}
	if strings.ContainsRune(text, utf8.RuneError) && hasLoneSurrogate(raw) {
		return "", fmt.Errorf("%q holds half of a surrogate pair, which is no character", field)
	}
	return text, nil
}

// csv reads the column that the first line calls field, of records as RFC 4180 quotes them.
func (t *Texts) csv(f *os.File, path string, yield func(Document) bool) error {
	text, err := decompressed(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := skipMark(path, text); err != nil {
		return err
	}
	bounded := &recordReader{r: text, left: MaxLine}
	r := csv.NewReader(bounded)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", path, err)
	}
	column := slices.Index(header, t.field())
	if column < 0 {
		return fmt.Errorf("%s:1: no column is called %q (data.field names that of the text); there are %.200q", path, t.field(), header)
	}
	for {
		bounded.left = MaxLine
		record, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(column)
		if text := record[column]; !utf8.ValidString(text) {
			return fmt.Errorf("%s:%d: not UTF-8 at byte %d of column %q", path, line, 1+invalidAt([]byte(text)), t.field())
		} else if !yield(Document{Text: text}) {
			return errEnough
		}
	}
}

// recordReader hands out at most so many bytes at a time, so that a quotation mark that is never closed does not take the
// whole file into memory.
type recordReader struct {
	r    io.Reader
	left int
}

func (r *recordReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("the record has more than %d bytes; is a quotation mark not closed?", MaxLine)
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
