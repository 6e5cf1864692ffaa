package corpus

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf8"
)

// parquetMagic stands at both ends of a Parquet file.
var parquetMagic = []byte("PAR1")

// Bounds of what is believed of a Parquet file.
const (
	mostFooter     = 64 << 20
	mostPage       = 256 << 20 // of one page, uncompressed
	mostPageHeader = 16 << 20  // statistics hold whole values
	mostPageValues = 1 << 24   // a run of equal ones takes no room
)

// Numbers of the format.
const (
	parquetByteArray = 6 // a physical type
	parquetOptional  = 1 // repetitions
	parquetRepeated  = 2

	plainEncoding           = 0
	plainDictionaryEncoding = 2
	deltaLengthEncoding     = 6
	deltaStringEncoding     = 7
	rleDictionaryEncoding   = 8

	dataPage, indexPage, dictionaryPage, dataPageV2 = 0, 1, 2, 3
)

// parquet reads a column of text of a Parquet file. What is computed from numbers in the file is bounded by what the file
// really holds, and pages by mostPage; only what a page holds is in memory. Supported are columns at the top of the schema in
// all encodings that the format has for text, and all its codecs but LZO and the withdrawn form of LZ4. The reader is our own since the libraries believe the sizes that a file claims.
func (t *Texts) parquet(f *os.File, path string, yield func(Document) bool) error {
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	p := &parquetFile{r: f, size: stat.Size(), field: t.field()}
	err = p.read(func(text []byte, row int64) error {
		if !utf8.Valid(text) {
			return fmt.Errorf("row %d: not UTF-8 at byte %d of column %q", row, 1+invalidAt(text), p.field)
		}
		if !yield(Document{Text: string(text)}) {
			return errEnough
		}
		return nil
	})
	if err != nil && err != errEnough {
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

type parquetFile struct {
	r        io.ReaderAt
	size     int64
	field    string
	optional bool // values may be null
	chunks   []parquetChunk
	row      int64 // that was read last, from 1
}

// parquetChunk is the pages of the column in one row group.
type parquetChunk struct {
	codec            int64
	first, bytes     int64
	dictionaryOffset int64
	values           int64
}

func (p *parquetFile) read(yield func(text []byte, row int64) error) error {
	if err := p.footer(); err != nil {
		return err
	}
	for _, c := range p.chunks {
		if err := p.chunk(c, yield); err != nil {
			return err
		}
	}
	return nil
}

// footer finds the column and its pages.
func (p *parquetFile) footer() error {
	var head, tail [8]byte
	if p.size < 12 {
		return errors.New("not a Parquet file: too short")
	}
	if err := p.readAt(head[:4], 0); err != nil {
		return err
	}
	if err := p.readAt(tail[:], p.size-8); err != nil {
		return err
	}
	if !bytes.Equal(head[:4], parquetMagic) || !bytes.Equal(tail[4:], parquetMagic) {
		return errors.New("not a Parquet file, or an encrypted one: it must begin and end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > p.size-12 || n > mostFooter {
		return fmt.Errorf("damaged: a footer of %d bytes in a file of %d", n, p.size)
	}
	data := make([]byte, n)
	if err := p.readAt(data, p.size-8-n); err != nil {
		return err
	}
	t := &thrift{data: data}
	var schema schemaWalk
	t.object(func(id int64, kind byte) bool {
		switch {
		case id == 2 && kind == thriftList:
			t.list(func(byte) { schema.add(t, p.field) })
		case id == 4 && kind == thriftList:
			t.list(func(byte) { p.rowGroup(t) })
		default:
			return false
		}
		return true
	})
	if t.err != nil {
		return t.err
	}
	return p.check(&schema)
}

// schemaWalk goes through the elements of a schema, which are its tree in depth-first order.
type schemaWalk struct {
	open  []int64 // children still to come, of each element above
	names []string
	found *schemaElement
}

type schemaElement struct {
	kind, repetition, children int64
	name                       string
}

func (w *schemaWalk) add(t *thrift, field string) {
	e := schemaElement{kind: -1}
	t.object(func(id int64, kind byte) bool {
		switch {
		case id == 1 && kind == 5:
			e.kind = t.integer()
		case id == 3 && kind == 5:
			e.repetition = t.integer()
		case id == 4 && kind == thriftBinary:
			e.name = string(t.binary())
		case id == 5 && kind == 5:
			e.children = t.integer()
		default:
			return false
		}
		return true
	})
	if len(w.open) == 1 {
		w.names = append(w.names, e.name)
		if e.name == field && w.found == nil {
			w.found = &e
		}
	}
	if len(w.open) > 0 {
		w.open[len(w.open)-1]--
	}
	if e.children > 0 || len(w.open) == 0 {
		w.open = append(w.open, e.children)
	}
	for len(w.open) > 1 && w.open[len(w.open)-1] <= 0 {
		w.open = w.open[:len(w.open)-1]
	}
}

// rowGroup notes the pages of the column in a row group.
func (p *parquetFile) rowGroup(t *thrift) {
	t.object(func(id int64, kind byte) bool {
		if id != 1 || kind != thriftList {
			return false
		}
		t.list(func(byte) {
			t.object(func(id int64, kind byte) bool {
				if id != 3 || kind != thriftStruct {
					return false
				}
				if c, name := readChunk(t); name == p.field {
					p.chunks = append(p.chunks, c)
				}
				return true
			})
		})
		return true
	})
}

// readChunk reads what is said of a column's pages, and the column's name if it stands at the top of the schema.
func readChunk(t *thrift) (c parquetChunk, name string) {
	var path []string
	t.object(func(id int64, kind byte) bool {
		numbers := map[int64]*int64{4: &c.codec, 5: &c.values, 7: &c.bytes, 9: &c.first, 11: &c.dictionaryOffset}
		switch to := numbers[id]; {
		case id == 3 && kind == thriftList:
			t.list(func(byte) { path = append(path, string(t.binary())) })
		case to != nil && (kind == 5 || kind == 6):
			*to = t.integer()
		default:
			return false
		}
		return true
	})
	if len(path) == 1 {
		name = path[0]
	}
	return c, name
}

// check says whether the column can be read.
func (p *parquetFile) check(w *schemaWalk) error {
	if w.found == nil {
		return fmt.Errorf("no column is called %q (data.field names that of the text); there are %.200q", p.field, w.names)
	}
	if e := w.found; e.kind != parquetByteArray || e.children > 0 || e.repetition == parquetRepeated {
		return fmt.Errorf("column %q holds no text: it must be a column of strings (BYTE_ARRAY), not nested or repeated", p.field)
	}
	p.optional = w.found.repetition == parquetOptional
	for i, c := range p.chunks {
		if d := c.dictionaryOffset; d > 0 && d < c.first {
			p.chunks[i].first = d
		}
		if c = p.chunks[i]; c.values == 0 { // an empty one has no pages, and no place
			p.chunks[i].bytes = 0
			continue
		} else if c.first < 4 || c.bytes < 0 || c.first > p.size || c.bytes > p.size-c.first {
			return fmt.Errorf("damaged: row group %d has its pages at %d to %d+%d of %d bytes", i, c.first, c.first, c.bytes, p.size)
		}
		if !slices.Contains(pageCodecs, c.codec) {
			name := cmp.Or(map[int64]string{3: "LZO", 5: "the withdrawn form of LZ4"}[c.codec], fmt.Sprintf("codec %d of the format", c.codec))
			return fmt.Errorf("column %q is compressed by %s; supported: none, Snappy, gzip, Brotli, Zstandard and LZ4_RAW", p.field, name)
		}
	}
	return nil
}

func (p *parquetFile) readAt(data []byte, at int64) error {
	if _, err := p.r.ReadAt(data, at); err != nil && err != io.EOF {
		return err
	} else if err == io.EOF && at+int64(len(data)) > p.size {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// pageHeader is what is said of a page.
type pageHeader struct {
	kind, uncompressed, compressed int64
	values, encoding               int64
	definition, repetition         int64 // bytes of levels, of version 2
	plain                          bool  // of version 2: not compressed
}

// chunk reads the pages of a row group.
func (p *parquetFile) chunk(c parquetChunk, yield func(text []byte, row int64) error) error {
	var dictionary [][]byte
	for at, end := c.first, c.first+c.bytes; at < end; {
		h, n, err := p.pageHeader(at, end)
		if err != nil {
			return err
		}
		at += n
		if h.compressed < 0 || h.compressed > end-at || h.uncompressed < 0 || h.uncompressed > mostPage || h.values < 0 || h.values > mostPageValues {
			return fmt.Errorf("damaged: a page of %d bytes, %d uncompressed, with %d values, where %d bytes are left", h.compressed, h.uncompressed, h.values, end-at)
		}
		data := make([]byte, h.compressed)
		if err := p.readAt(data, at); err != nil {
			return err
		}
		at += h.compressed
		switch h.kind {
		case dictionaryPage:
			if data, err = uncompressed(data, c.codec, h.uncompressed); err != nil {
				return err
			}
			if dictionary, err = plainValues(data, h.values); err != nil {
				return err
			}
		case dataPage, dataPageV2:
			if err := p.page(h, data, c.codec, dictionary, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageHeader reads the header at a place, and how many bytes it takes.
func (p *parquetFile) pageHeader(at, end int64) (h pageHeader, n int64, err error) {
	for _, most := range []int64{1 << 12, mostPageHeader} { // almost all are small
		data := make([]byte, min(most, end-at))
		if err := p.readAt(data, at); err != nil {
			return h, 0, err
		}
		t := &thrift{data: data}
		h = pageHeader{}
		h.read(t)
		if t.err == nil {
			return h, int64(t.at), nil
		}
		err = t.err
	}
	return h, 0, err
}

func (h *pageHeader) read(t *thrift) {
	numbers := func(fields map[int64]*int64) {
		t.object(func(id int64, kind byte) bool {
			to := fields[id]
			if to == nil || kind != 5 {
				h.plain = h.plain || id == 7 && kind == thriftFalse
				return false
			}
			*to = t.integer()
			return true
		})
	}
	t.object(func(id int64, kind byte) bool {
		to := map[int64]*int64{1: &h.kind, 2: &h.uncompressed, 3: &h.compressed}[id]
		switch {
		case to != nil && kind == 5:
			*to = t.integer()
		case (id == 5 || id == 7) && kind == thriftStruct:
			numbers(map[int64]*int64{1: &h.values, 2: &h.encoding})
		case id == 8 && kind == thriftStruct:
			numbers(map[int64]*int64{1: &h.values, 4: &h.encoding, 5: &h.definition, 6: &h.repetition})
		default:
			return false
		}
		return true
	})
}

// page hands out the values of a data page.
func (p *parquetFile) page(h pageHeader, data []byte, codec int64, dictionary [][]byte, yield func(text []byte, row int64) error) error {
	var levels []byte
	var err error
	if h.kind == dataPageV2 {
		if h.definition < 0 || h.repetition < 0 || h.definition > int64(len(data)) || h.repetition > int64(len(data))-h.definition {
			return fmt.Errorf("damaged: levels of %d and %d bytes in a page of %d", h.repetition, h.definition, len(data))
		}
		before := h.repetition + h.definition
		levels, data = data[h.repetition:before], data[before:]
		if !h.plain {
			data, err = uncompressed(data, codec, h.uncompressed-before)
		}
	} else if data, err = uncompressed(data, codec, h.uncompressed); err == nil && p.optional {
		levels, data, err = prefixed(data)
	}
	if err != nil {
		return err
	}
	next, err := valuesOf(h, data, dictionary)
	if err != nil {
		return err
	}
	present := hybrid{data: levels, width: 1}
	for range h.values {
		p.row++
		if p.optional {
			if level, err := present.next(); err != nil {
				return err
			} else if level == 0 { // null
				continue
			}
		}
		text, err := next()
		if err == nil {
			err = yield(text, p.row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// valuesOf returns a function that reads the values of a page, one after the other.
func valuesOf(h pageHeader, data []byte, dictionary [][]byte) (func() ([]byte, error), error) {
	switch h.encoding {
	case plainEncoding:
		return func() (value []byte, err error) {
			value, data, err = prefixed(data)
			return value, err
		}, nil
	case plainDictionaryEncoding, rleDictionaryEncoding:
		if len(data) == 0 || data[0] > 32 {
			return nil, errors.New("damaged: a page of a dictionary without the width of its numbers")
		}
		numbers := hybrid{data: data[1:], width: uint(data[0])}
		return func() ([]byte, error) {
			i, err := numbers.next()
			if err != nil {
				return nil, err
			}
			if i >= uint64(len(dictionary)) {
				return nil, fmt.Errorf("damaged: value %d of a dictionary of %d", i, len(dictionary))
			}
			return dictionary[i], nil
		}, nil
	case deltaLengthEncoding:
		return deltaLengths(data)
	case deltaStringEncoding:
		return deltaStrings(data)
	}
	return nil, fmt.Errorf("values in encoding %d of the format; supported: PLAIN, RLE_DICTIONARY, DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY", h.encoding)
}

// plainValues reads n values that stand one after the other.
func plainValues(data []byte, n int64) (values [][]byte, err error) {
	for range n {
		var value []byte
		if value, data, err = prefixed(data); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// prefixed reads bytes behind their number.
func prefixed(data []byte) (value, rest []byte, err error) {
	if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
		return nil, nil, errors.New("damaged: a value goes beyond its page")
	}
	n := 4 + int(binary.LittleEndian.Uint32(data))
	return data[4:n], data[n:], nil
}

// hybrid reads numbers of a fixed width in bits, in runs that repeat one number or hold eight packed ones at a time.
type hybrid struct {
	data   []byte
	width  uint
	left   uint64 // numbers still to come in this run
	packed bool
	value  uint64 // that repeats
	bit    uint   // where the next packed number begins in data
}

func (r *hybrid) next() (uint64, error) {
	for r.left == 0 {
		if r.packed {
			r.data, r.packed = r.data[r.bit/8:], false
		}
		if err := r.run(); err != nil {
			return 0, err
		}
	}
	r.left--
	if !r.packed {
		return r.value, nil
	}
	value := packedNumber(r.data, r.bit, r.width)
	r.bit += r.width
	return value, nil
}

// run reads the head of a run.
func (r *hybrid) run() error {
	head, n := binary.Uvarint(r.data)
	if n <= 0 {
		return errNumbers
	}
	r.data = r.data[n:]
	size := uint64(r.width+7) / 8
	if r.packed = head&1 == 1; r.packed {
		groups := head >> 1
		if groups > uint64(len(r.data)) || groups*uint64(r.width) > uint64(len(r.data)) {
			return errNumbers
		}
		r.left, r.bit = groups*8, 0
		return nil
	}
	if size > uint64(len(r.data)) {
		return errNumbers
	}
	r.left, r.value = head>>1, 0
	for i := range size {
		r.value |= uint64(r.data[i]) << (8 * i)
	}
	r.data = r.data[size:]
	return nil
}
