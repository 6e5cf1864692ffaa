package corpus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// MaxLine is the most bytes that a line may have.
const MaxLine = 16 << 20

// Lines reads a text file line by line. Its errors say file and line. Close it when done.
type Lines struct {
	path   string
	closer io.Closer
	r      *bufio.Reader
	buffer []byte
	number int
}

// OpenLines opens a text file, compressed or not.
func OpenLines(path string) (*Lines, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l, err := newLines(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	l.closer = f
	return l, nil
}

// NewLines reads lines from a stream; path is what errors call it.
func NewLines(path string, r io.Reader) (*Lines, error) { return newLines(path, r) }

func newLines(path string, r io.Reader) (*Lines, error) {
	text, err := decompressed(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := skipMark(path, text); err != nil {
		return nil, err
	}
	return &Lines{path: path, r: text}, nil
}

// skipMark drops a byte order mark.
func skipMark(path string, text *bufio.Reader) error {
	start, err := text.Peek(3)
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case bytes.Equal(start, []byte("\xef\xbb\xbf")):
		text.Discard(3)
	case len(start) >= 2 && (start[0] == 0xff && start[1] == 0xfe || start[0] == 0xfe && start[1] == 0xff):
		return fmt.Errorf("%s: is UTF-16; convert it to UTF-8", path)
	}
	return nil
}

// EachLine hands each line of a text file that is not blank to read, with its place, file and line, which it puts before the error
// that read returns.
func EachLine(path string, read func(place string, line []byte) error) error {
	l, err := OpenLines(path)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		line, err := l.nextFilled()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		place := fmt.Sprintf("%s:%d", path, l.Number())
		if err := read(place, line); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
}

// nextFilled is Next without the lines that are blank.
func (l *Lines) nextFilled() ([]byte, error) {
	for {
		line, err := l.Next()
		if err != nil || len(bytes.TrimSpace(line)) > 0 {
			return line, err
		}
	}
}

// Next returns the next line without its end, or io.EOF after the last. The bytes are valid until the next call.
func (l *Lines) Next() ([]byte, error) {
	l.buffer = l.buffer[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buffer)+len(part) > MaxLine {
			return nil, fmt.Errorf("%s:%d: the line has more than %d bytes", l.path, l.number+1, MaxLine)
		}
		l.buffer = append(l.buffer, part...)
		if err == nil {
			break
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err == io.EOF {
			if len(l.buffer) == 0 {
				return nil, io.EOF
			}
			break
		}
		return nil, fmt.Errorf("%s:%d: %w", l.path, l.number+1, err)
	}
	l.number++
	line := bytes.TrimSuffix(l.buffer, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if !utf8.Valid(line) {
		return nil, fmt.Errorf("%s:%d: not UTF-8 at byte %d of the line (%#02x)", l.path, l.number, 1+invalidAt(line), line[invalidAt(line)])
	}
	return line, nil
}

// invalidAt returns the index of the first byte that is not UTF-8.
func invalidAt(line []byte) int {
	for at := 0; at < len(line); {
		r, size := utf8.DecodeRune(line[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
	return len(line)
}

// Number returns the number of the line that Next returned last, from 1.
func (l *Lines) Number() int { return l.number }

// Close closes the file.
func (l *Lines) Close() error {
	if l.closer == nil {
		return nil
	}
	return l.closer.Close()
}

// ReadLines reads a whole text file, every line kept, empty ones too; an empty file is an error. For what must stay
// aligned with something else, such as the references of a test.
func ReadLines(path string) ([]string, error) {
	l, err := OpenLines(path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.all()
}

// ReadLinesFrom is ReadLines of a stream; name stands for the file in errors.
func ReadLinesFrom(name string, r io.Reader) ([]string, error) {
	l, err := newLines(name, r)
	if err != nil {
		return nil, err
	}
	return l.all()
}

func (l *Lines) all() ([]string, error) {
	var lines []string
	for {
		line, err := l.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, string(line))
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s: the file is empty", l.path)
	}
	return lines, nil
}

// sentence returns a line's text as a string of its own, without white space around it.
func sentence(line []byte) string { return strings.TrimSpace(string(line)) }
