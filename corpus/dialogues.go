package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
)

// Forms of dialogues in files. Without being told, a dialogue's own keys say which it is.
const (
	MessagesForm = "messages" // {"messages": [{"role": …, "content": …}, …]}, also "prompt" and "completion", as OpenAI and TRL have them
	ShareGPT     = "sharegpt" // {"conversations": [{"from": "human", "value": …}, …]}
	Alpaca       = "alpaca"   // {"instruction": …, "input": …, "output": …}
)

// Dialogue is one from a file. Its turns may be in any order: [chat.CheckTurns] judges them.
type Dialogue struct {
	Messages []chat.Message
	Tools    json.RawMessage // what the assistant may call, for the template; nil if nothing is said
	File     string
	Line     int
}

// Where names the dialogue's place.
func (d *Dialogue) Where() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// Key is what a dialogue begins with up to the first answer, as text: dialogues that ask the same have the same key.
func (d *Dialogue) Key() string {
	var b strings.Builder
	for _, m := range d.Messages {
		if m.Role == chat.Assistant {
			break
		}
		b.WriteString(m.Role + "\x00" + m.Content + "\x00")
	}
	return b.String()
}

// ReadDialogues yields the dialogues of files, compressed or not: an object a line, or one JSON array of objects. The form
// is one of the constants, or "" where each object's keys tell it. An error says file and line, and is the last that is yielded.
func ReadDialogues(files []string, form string) iter.Seq2[*Dialogue, error] {
	return func(yield func(*Dialogue, error) bool) {
		for _, path := range files {
			stop := false
			err := readDialogues(path, form, func(d *Dialogue) bool {
				stop = !yield(d, nil)
				return !stop
			})
			if stop {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func readDialogues(path, form string, yield func(*Dialogue) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := decompressed(f)
	if err == nil {
		err = skipMark(path, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	objects := objectLines
	if beginsArray(text) {
		objects = arrayItems
	}
	return objects(path, text, func(line int, object []byte) (bool, error) {
		d, err := parseDialogue(object, form)
		if err != nil {
			return false, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		d.File, d.Line = path, line
		return yield(d), nil
	})
}

// beginsArray reports whether the first character that is not white space is a bracket.
func beginsArray(text *bufio.Reader) bool {
	start, _ := text.Peek(512)
	return bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n"), []byte("["))
}

// objectLines hands out the lines of JSONL that are not blank.
func objectLines(path string, text *bufio.Reader, each func(line int, object []byte) (bool, error)) error {
	lines := &Lines{path: path, r: text}
	for {
		line, err := lines.nextFilled()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := each(lines.Number(), line); err != nil || !more {
			return err
		}
	}
}

// arrayItems hands out the items of a JSON array.
func arrayItems(path string, text *bufio.Reader, each func(line int, object []byte) (bool, error)) error {
	counted := &lineCounter{r: text}
	bounded := &recordReader{r: counted, left: MaxLine}
	d := json.NewDecoder(bounded)
	failed := func(err error) error {
		at := d.InputOffset()
		if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
			at = s.Offset
		}
		if err == io.EOF {
			err = fmt.Errorf("the file ends within the array: %w", io.ErrUnexpectedEOF)
		}
		return fmt.Errorf("%s:%d: %w", path, counted.line(at), err)
	}
	if _, err := d.Token(); err != nil {
		return failed(err)
	}
	for d.More() {
		bounded.left = MaxLine
		var object json.RawMessage
		if err := d.Decode(&object); err != nil {
			return failed(err)
		}
		line := counted.line(d.InputOffset() - int64(len(object)))
		if more, err := each(line, object); err != nil || !more {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return failed(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return failed(errors.New("more follows after the array; put dialogues into the array, or one on each line without it"))
	}
	return nil
}

// lineCounter notes where lines begin in what is read through it.
type lineCounter struct {
	r     io.Reader
	at    int64
	feeds []int64 // offsets of line feeds
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.feeds = append(c.feeds, c.at+int64(i))
		}
	}
	c.at += int64(n)
	return n, err
}

// line returns the number of the line of an offset, from 1.
func (c *lineCounter) line(at int64) int {
	i, _ := slices.BinarySearch(c.feeds, at)
	return i + 1
}
