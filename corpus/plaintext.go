package corpus

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// readPlainText reads a text. Documents end at separators; one of more than about most bytes comes in parts, cut where a line
// ends if there is one, otherwise at a space, otherwise between two characters.
func readPlainText(r io.Reader, path, separator string, most int, yield func(Document) bool) error {
	text, err := decompressed(r)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := skipMark(path, text); err != nil {
		return err
	}
	p := &plainText{path: path, separator: separator, line: 1, yield: yield}
	buffer, end := make([]byte, 0, 2*most+len(separator)), false
	for !end || len(buffer) > 0 {
		for !end && len(buffer) < cap(buffer) {
			n, err := text.Read(buffer[len(buffer):cap(buffer)])
			buffer = buffer[:len(buffer)+n]
			if end = err == io.EOF; err != nil && !end {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		used, err := p.emit(buffer, end, most)
		if err != nil {
			return err
		}
		buffer = buffer[:copy(buffer, buffer[used:])]
	}
	return nil
}

// plainText hands out the documents of one file.
type plainText struct {
	path, separator string
	line            int  // where the next text begins
	inside          bool // of a document of which a part has been handed out
	yield           func(Document) bool
}

// emit hands out what a buffer certainly holds, at least most bytes or a separator, and returns how many bytes that was.
func (p *plainText) emit(buffer []byte, end bool, most int) (used int, err error) {
	for {
		rest := buffer[used:]
		at := -1
		if p.separator != "" {
			at = bytes.Index(rest, []byte(p.separator))
		}
		switch {
		case at >= 0:
			if err := p.send(rest[:at], true); err != nil {
				return used, err
			}
			used += at + len(p.separator)
			p.inside = false
		case end && len(rest) <= most:
			return len(buffer), p.send(rest, false)
		case end || len(rest) >= most+len(p.separator):
			n := cut(rest[:most])
			if err := p.send(rest[:n], false); err != nil {
				return used, err
			}
			used += n
			p.inside = true
		default:
			return used, nil
		}
	}
}

// send hands out a part; ends says that a separator follows it.
func (p *plainText) send(part []byte, ends bool) error {
	if !utf8.Valid(part) {
		at := invalidAt(part)
		return fmt.Errorf("%s:%d: not UTF-8 (%#02x)", p.path, p.line+bytes.Count(part[:at], []byte("\n")), part[at])
	}
	p.line += bytes.Count(part, []byte("\n"))
	text := string(part)
	if p.separator != "" && !p.inside {
		text = strings.TrimPrefix(strings.TrimPrefix(text, "\r"), "\n")
	}
	if ends {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	if text != "" && !p.yield(Document{Text: text, Continues: p.inside}) {
		return errEnough
	}
	return nil
}

// cut returns where to cut a text that is too long.
func cut(text []byte) int {
	for _, after := range []string{"\n", " "} {
		if at := bytes.LastIndex(text, []byte(after)); at > 0 {
			return at + 1
		}
	}
	for n := len(text) - 1; n > 0 && n > len(text)-utf8.UTFMax; n-- {
		if utf8.RuneStart(text[n]) {
			return n
		}
	}
	return len(text)
}
