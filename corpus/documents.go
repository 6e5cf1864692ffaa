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
			if !t.file(path, yield) {
				return
			}
		}
	}
}

// AllFrom is All of a stream instead of Files; name stands for it in errors. Without a Format it is plain text, and it cannot be
// Parquet, which is not read from beginning to end.
func (t *Texts) AllFrom(name string, r io.Reader) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) { t.stream(name, t.Format, r, yield) }
}

// file reads one file, and reports whether more is wanted.
func (t *Texts) file(path string, yield func(Document, error) bool) bool {
	if file, inside, ok := archived(path); ok {
		return handOut(yield, func(send func(Document) bool) error { return t.archive(file, inside, send) })
	}
	format := t.Format
	if format == "" {
		format = FormatOf(path)
	}
	f, err := os.Open(path)
	if err != nil {
		yield(Document{}, err)
		return false
	}
	defer f.Close()
	return t.stream(path, format, f, yield)
}

// stream hands out the documents of one file or stream, and reports whether more is wanted.
func (t *Texts) stream(name, format string, r io.Reader, yield func(Document, error) bool) bool {
	return handOut(yield, func(send func(Document) bool) error {
		switch f, isFile := r.(*os.File); {
		case format == "" || format == PlainText:
			return readPlainText(r, name, t.Separator, MostText, send)
		case format == JSONL:
			return t.jsonl(r, name, send)
		case format == CSV:
			return t.csv(r, name, send)
		case format == Parquet && isFile:
			return t.parquet(f, name, send)
		case format == Parquet:
			return fmt.Errorf("%s: Parquet must be a file, because its end is read first", name)
		default:
			panic(fmt.Sprintf("corpus: format %q", format))
		}
	})
}

// handOut yields the documents that read sends, but for those without text, and reports whether more is wanted.
func handOut(yield func(Document, error) bool, read func(send func(Document) bool) error) bool {
	blank := false // the document so far
	err := read(func(d Document) bool {
		d.Continues = d.Continues && !blank
		blank = !d.Continues && strings.TrimSpace(d.Text) == ""
		return blank || yield(d, nil)
	})
	if err != nil && err != errEnough {
		yield(Document{}, err)
	}
	return err == nil
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
func (t *Texts) jsonl(r io.Reader, path string, yield func(Document) bool) error {
	lines, err := newLines(path, r)
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
func (t *Texts) csv(r io.Reader, path string, yield func(Document) bool) error {
	text, err := decompressed(r)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := skipMark(path, text); err != nil {
		return err
	}
	bounded := &recordReader{r: text, left: MaxLine}
	records := csv.NewReader(bounded)
	records.ReuseRecord = true
	header, err := records.Read()
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", path, err)
	}
	column := slices.Index(header, t.field())
	if column < 0 {
		return fmt.Errorf("%s:1: no column is called %q (data.field names that of the text); there are %.200q", path, t.field(), header)
	}
	for {
		bounded.left = MaxLine
		record, err := records.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		line, _ := records.FieldPos(column)
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
