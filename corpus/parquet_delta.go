package corpus

import (
	"encoding/binary"
	"errors"
)

// mostDeltaBlock bounds the numbers of a block; writers put a few hundred into one.
const mostDeltaBlock = 1 << 20

var (
	errNumbers = errors.New("damaged: a page's numbers end too early")
	errLengths = errors.New("damaged: a page's values have lengths that cannot be")
)

// deltas reads numbers in the encoding DELTA_BINARY_PACKED: the first one, then blocks of differences to the one before, less
// the smallest of the block, which are packed in miniblocks of a width of their own.
type deltas struct {
	data  []byte // behind what was read
	left  int64  // numbers still to come
	first bool   // the next one is the first
	value int64

	perMini uint64 // numbers of a miniblock
	minis   uint64 // of a block
	widths  []byte // in bits, of the miniblocks still to come in this block
	least   int64  // difference of the block
	packed  []byte // the present miniblock
	width   uint
	inMini  uint64 // numbers still to come in it
	bit     uint
}

// newDeltas returns a reader of the numbers at the beginning of data, and what follows them. Nothing is kept of them, so that
// a page that claims many takes no memory.
func newDeltas(data []byte) (d deltas, rest []byte, err error) {
	d = deltas{data: data, first: true}
	block, count := d.uvarint(&err), uint64(0)
	d.minis, count = d.uvarint(&err), d.uvarint(&err)
	d.value = d.varint(&err)
	if err != nil {
		return d, nil, err
	}
	if block > mostDeltaBlock || d.minis == 0 || block%(8*d.minis) != 0 || block == 0 || count > mostPageValues {
		return d, nil, errLengths
	}
	d.perMini, d.left = block/d.minis, int64(count)
	end := d
	for end.left > 0 {
		if _, err := end.next(); err != nil {
			return d, nil, err
		}
	}
	return d, end.data, nil
}

func (d *deltas) uvarint(err *error) uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		*err = errNumbers
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *deltas) varint(err *error) int64 {
	v := d.uvarint(err)
	return int64(v>>1) ^ -int64(v&1)
}

// next returns the next number.
func (d *deltas) next() (int64, error) {
	if d.left <= 0 {
		return 0, errNumbers
	}
	d.left--
	if d.first {
		d.first = false
		return d.value, nil
	}
	if d.inMini == 0 {
		if err := d.mini(); err != nil {
			return 0, err
		}
	}
	d.inMini--
	d.value += d.least + int64(packedNumber(d.packed, d.bit, d.width))
	d.bit += d.width
	return d.value, nil
}

// mini goes on to the next miniblock, and to the next block after the last.
func (d *deltas) mini() (err error) {
	if len(d.widths) == 0 {
		if d.least = d.varint(&err); err != nil {
			return err
		}
		if d.minis > uint64(len(d.data)) {
			return errNumbers
		}
		d.widths, d.data = d.data[:d.minis], d.data[d.minis:]
	}
	d.width, d.widths = uint(d.widths[0]), d.widths[1:]
	size := d.perMini / 8 * uint64(d.width)
	if d.width > 64 || size > uint64(len(d.data)) {
		return errNumbers
	}
	d.packed, d.data, d.bit, d.inMini = d.data[:size], d.data[size:], 0, d.perMini
	return nil
}

// packedNumber reads width bits from the given one on, the lowest first.
func packedNumber(data []byte, bit, width uint) (value uint64) {
	for i := uint(0); i < width; i++ {
		at := bit + i
		value |= uint64(data[at/8]>>(at%8)&1) << i
	}
	return value
}

// deltaLengths returns a function that reads values of the encoding DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
func deltaLengths(data []byte) (func() ([]byte, error), error) {
	lengths, data, err := newDeltas(data)
	if err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		n, err := lengths.next()
		if err != nil {
			return nil, err
		}
		if n < 0 || n > int64(len(data)) {
			return nil, errLengths
		}
		value := data[:n]
		data = data[n:]
		return value, nil
	}, nil
}

// deltaStrings returns a function that reads values of the encoding DELTA_BYTE_ARRAY: of each, how many bytes it shares with
// the beginning of the one before, and what follows these. A value is good until the next one is read.
func deltaStrings(data []byte) (func() ([]byte, error), error) {
	shared, data, err := newDeltas(data)
	if err != nil {
		return nil, err
	}
	rest, err := deltaLengths(data)
	if err != nil {
		return nil, err
	}
	var value []byte
	return func() ([]byte, error) {
		n, err := shared.next()
		if err != nil {
			return nil, err
		}
		suffix, err := rest()
		if err != nil {
			return nil, err
		}
		if n < 0 || n > int64(len(value)) {
			return nil, errLengths
		}
		value = append(value[:n], suffix...)
		return value, nil
	}, nil
}
