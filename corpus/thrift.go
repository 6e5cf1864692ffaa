package corpus

import (
	"encoding/binary"
	"errors"
)

// thrift reads the compact protocol of Apache Thrift, in which Parquet files describe themselves. What a reader asks for
// after the first error is empty, so that err need be looked at once. It allocates nothing: bytes are parts of data.
type thrift struct {
	data  []byte
	at    int
	depth int
	err   error
}

var errThrift = errors.New("the description is damaged or cut off")

// Kinds of values.
const (
	thriftTrue, thriftFalse  = 1, 2
	thriftByte, thriftDouble = 3, 7
	thriftBinary             = 8
	thriftList, thriftSet    = 9, 10
	thriftMap, thriftStruct  = 11, 12
)

const mostThriftDepth = 32

func (t *thrift) fail() {
	t.err = errThrift
	t.at = len(t.data)
}

func (t *thrift) byte() byte {
	if t.at >= len(t.data) {
		t.fail()
		return 0
	}
	t.at++
	return t.data[t.at-1]
}

func (t *thrift) varint() uint64 {
	x, n := binary.Uvarint(t.data[t.at:])
	if n <= 0 {
		t.fail()
		return 0
	}
	t.at += n
	return x
}

// integer reads an i16, i32 or i64.
func (t *thrift) integer() int64 {
	x := t.varint()
	return int64(x>>1) ^ -int64(x&1)
}

func (t *thrift) binary() []byte {
	n := t.varint()
	if n > uint64(len(t.data)-t.at) {
		t.fail()
		return nil
	}
	t.at += int(n)
	return t.data[t.at-int(n) : t.at]
}

// object reads a struct: field reads the value of each field that it knows, and returns whether it did.
func (t *thrift) object(field func(id int64, kind byte) bool) {
	t.depth++
	defer func() { t.depth-- }()
	if t.depth > mostThriftDepth {
		t.fail()
	}
	for id := int64(0); t.err == nil; {
		head := t.byte()
		if head == 0 {
			return
		}
		if head>>4 == 0 {
			id = t.integer()
		} else {
			id += int64(head >> 4)
		}
		if kind := head & 15; t.err == nil && !field(id, kind) {
			t.skip(kind, false)
		}
	}
}

// list reads a list or set by a function for one element.
func (t *thrift) list(element func(kind byte)) {
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.varint()
	}
	for ; n > 0 && t.err == nil; n-- {
		before := t.at
		if element(head & 15); t.at == before { // no element takes no room
			t.fail()
		}
	}
}

// skip passes over a value. Inside of lists and maps a truth value takes a byte, elsewhere none.
func (t *thrift) skip(kind byte, inside bool) {
	switch kind {
	case thriftTrue, thriftFalse:
		if inside {
			t.byte()
		}
	case thriftByte:
		t.byte()
	case 4, 5, 6:
		t.varint()
	case thriftDouble:
		if len(t.data)-t.at < 8 {
			t.fail()
			return
		}
		t.at += 8
	case thriftBinary:
		t.binary()
	case thriftStruct:
		t.object(func(int64, byte) bool { return false })
	case thriftList, thriftSet:
		t.depth++
		if t.depth > mostThriftDepth {
			t.fail()
		}
		t.list(func(kind byte) { t.skip(kind, true) })
		t.depth--
	case thriftMap:
		t.skipMap()
	default:
		t.fail()
	}
}

func (t *thrift) skipMap() {
	n := t.varint()
	if n == 0 {
		return
	}
	t.depth++
	defer func() { t.depth-- }()
	if t.depth > mostThriftDepth {
		t.fail()
	}
	kinds := t.byte()
	for ; n > 0 && t.err == nil; n-- {
		t.skip(kinds>>4, true)
		t.skip(kinds&15, true)
	}
}
