package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// input returns standard input as a stream that ends when ctx ends, even while it waits for somebody to type. The error
// is then that of ctx.
func (a *app) input(ctx context.Context) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, a.in)
		w.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	return r
}

// lineReader reads lines that end at LF or CR LF, and drops a byte order mark before the first. It never holds more of a
// line than most bytes.
type lineReader struct {
	r     *bufio.Reader
	most  int
	begun bool
	line  []byte
}

func newLineReader(r io.Reader, most int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 1<<16), most: most}
}

// errLongLine is what next returns for a line of too many bytes; the lines after it can still be read.
var errLongLine = errors.New("the line is too long")

// next returns the next line without its end, or io.EOF after the last.
func (l *lineReader) next() (string, error) {
	l.line = l.line[:0]
	size := 0
	for more := true; more; {
		part, err := l.r.ReadSlice('\n')
		if size += len(part); size <= l.most {
			l.line = append(l.line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && size > 0: // the last line needs no end
		case err != nil:
			return "", err
		}
		more = false
	}
	if size > l.most {
		return "", fmt.Errorf("%w: %d bytes, and at most %d are read", errLongLine, size, l.most)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(l.line), "\n"), "\r")
	if !l.begun {
		l.begun = true
		line = strings.TrimPrefix(line, "\ufeff")
	}
	return line, nil
}

// idle reports whether the next line would have to be waited for.
func (l *lineReader) idle() bool { return l.r.Buffered() == 0 }
