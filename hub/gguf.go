package hub

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/parley-lm/parley/internal/mmap"
)

// GGUF is the format of llama.cpp: metadata, among them the tokenizer, and tensors in one file.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md specifies it.
const (
	ggufMagic     = "GGUF"
	ggufVersion   = 3  // 2 differs in nothing that is read here
	ggufAlignment = 32 // of tensors, if general.alignment says nothing else
	ggufMaxDims   = 4
	ggufMaxName   = 64 // bytes, the closing zero of llama.cpp included
)

// ggufKind is the type of a metadata value.
type ggufKind uint32

const (
	ggufUint8 ggufKind = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArrayKind
	ggufUint64
	ggufInt64
	ggufFloat64
)

// ggufKindSizes are the bytes of a value of each kind that has a fixed size.
var ggufKindSizes = map[ggufKind]uint64{
	ggufUint8: 1, ggufInt8: 1, ggufUint16: 2, ggufInt16: 2, ggufUint32: 4, ggufInt32: 4, ggufFloat32: 4, ggufBool: 1,
	ggufUint64: 8, ggufInt64: 8, ggufFloat64: 8,
}

// ggufTypes are ggml's types of tensors by their numbers. Those that dtypeSizes lacks are quantised: they can be named, not
// read.
var ggufTypes = map[uint32]DType{
	0: F32, 1: F16, 30: BF16, 24: "I8", 25: "I16", 26: I32, 27: I64, 28: "F64",
	2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K",
	16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M",
	34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

// ggufArray is a list of numbers as the file holds them.
type ggufArray struct {
	kind ggufKind
	raw  []byte
}

// ggufFile is an open GGUF file. Tensors are those of the embedded File, in shapes as everywhere here: the dimension whose
// elements lie side by side is the last one, while GGUF lists it first.
type ggufFile struct {
	*File
	values map[string]any // by key: int64, uint64, float64, bool, string, []string or ggufArray
}

// IsGGUF says whether there is a file at path that begins as GGUF files do.
func IsGGUF(path string) bool {
	if !isFile(path) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, len(ggufMagic))
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == ggufMagic
}

// openGGUF opens a GGUF file, and checks its metadata and where its tensors lie. Errors name the file, and the key or tensor.
func openGGUF(path string) (*ggufFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	stat, err := f.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	g, err := newGGUF(path, f, stat.Size())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	g.closer = f.Close
	if mapped, unmap := mmap.Map(f, stat.Size()); mapped != nil {
		g.mapped, g.file = mapped, f
		g.closer = func() error { return errors.Join(unmap(), f.Close()) }
	}
	return g, nil
}

// newGGUF reads and checks the beginning of size bytes of GGUF.
func newGGUF(path string, r io.ReaderAt, size int64) (*ggufFile, error) {
	g := &ggufFile{&File{path: path, data: r, tensors: map[string]TensorInfo{}}, map[string]any{}}
	in := &ggufReader{in: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 1<<16), size: uint64(size), left: uint64(size)}
	if err := g.read(in); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

func (g *ggufFile) read(in *ggufReader) error {
	if magic := in.bytes(4); in.err != nil || string(magic) != ggufMagic {
		return errors.New("not a GGUF file: it does not begin with GGUF")
	}
	if version := in.uint32(); in.err == nil && version != ggufVersion && version != 2 {
		return fmt.Errorf("GGUF of version %d; supported: 2 and 3, little-endian", version)
	}
	tensors, values := in.uint64(), in.uint64()
	if in.err == nil && (tensors > in.left/24 || values > in.left/13) { // what each takes at least
		return fmt.Errorf("%d tensors and %d metadata values announced, the file has %d bytes", tensors, values, in.size)
	}
	for i := range values {
		if err := g.readValue(in); err != nil {
			return fmt.Errorf("metadata value %d: %w", i, err)
		}
	}
	for i := range tensors {
		if err := g.readTensor(in); err != nil {
			return fmt.Errorf("tensor %d: %w", i, err)
		}
	}
	if in.err != nil {
		return in.err
	}
	slices.Sort(g.names)
	return g.place(in.size-in.left, in.size)
}

// readValue reads a key and its value.
func (g *ggufFile) readValue(in *ggufReader) error {
	key := in.string()
	if in.err != nil {
		return in.err
	}
	if _, twice := g.values[key]; twice || key == "" {
		return fmt.Errorf("the key %q stands there twice or is empty", key)
	}
	value, err := in.value(ggufKind(in.uint32()))
	if in.err != nil {
		err = in.err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	g.values[key] = value
	return nil
}

// readTensor reads a tensor's description. Its begin is as the file has it, from the start of all data.
func (g *ggufFile) readTensor(in *ggufReader) error {
	info := TensorInfo{Name: in.string()}
	dims := in.uint32()
	if in.err == nil && dims > ggufMaxDims {
		return fmt.Errorf("%q has %d dimensions; at most %d are allowed", info.Name, dims, ggufMaxDims)
	}
	shape := make([]uint64, min(dims, ggufMaxDims))
	for i := range shape {
		shape[i] = in.uint64()
	}
	slices.Reverse(shape)
	number, begin := in.uint32(), in.uint64()
	if in.err != nil {
		return in.err
	}
	if _, twice := g.tensors[info.Name]; twice || info.Name == "" {
		return fmt.Errorf("the name %q stands there twice or is empty", info.Name)
	}
	var known bool
	if info.DType, known = ggufTypes[number]; !known {
		info.DType = DType(fmt.Sprintf("number %d of ggml", number))
	}
	elements, fits := shapeBytes(shape, 1)
	if size := dtypeSizes[info.DType]; size > 0 {
		elements, fits = shapeBytes(shape, size)
	}
	if !fits || begin > math.MaxInt64 {
		return fmt.Errorf("%q of shape %v at byte %d is larger than any file", info.Name, shape, begin)
	}
	info.begin, info.end = begin, begin
	if dtypeSizes[info.DType] > 0 {
		info.end += elements
	}
	info.Shape = make([]int, len(shape))
	for i, d := range shape {
		info.Shape[i] = int(d)
	}
	g.tensors[info.Name] = info
	g.names = append(g.names, info.Name)
	return nil
}

// place finds where the data begins, which is after header bytes and padding, and demands that every tensor lies inside the
// file where alignment allows, and none over another.
func (g *ggufFile) place(header, size uint64) error {
	alignment := uint64(ggufAlignment)
	if _, given := g.values["general.alignment"]; given {
		a, err := g.int("general.alignment", 1, 1<<30)
		if err != nil {
			return err
		}
		if alignment = uint64(a); a&(a-1) != 0 {
			return fmt.Errorf("general.alignment is %d, must be a power of two", a)
		}
	}
	start := (header + alignment - 1) / alignment * alignment
	if start > size {
		start = size // no tensors, and no padding after the header
	}
	g.dataStart = int64(start)
	ordered := slices.Clone(g.names)
	slices.SortStableFunc(ordered, func(a, b string) int {
		x, y := g.tensors[a], g.tensors[b]
		if x.begin != y.begin {
			return compareUint64(x.begin, y.begin)
		}
		return compareUint64(x.end, y.end)
	})
	at, last := uint64(0), ""
	for _, name := range ordered {
		switch t := g.tensors[name]; {
		case t.begin%alignment != 0:
			return fmt.Errorf("tensor %q begins at byte %d of the data, which is no multiple of the alignment %d", name, t.begin, alignment)
		case t.end > size-start || t.begin > size-start:
			return fmt.Errorf("truncated: tensor %q ends at byte %d of the data, the file holds %d", name, t.end, size-start)
		case t.begin < at:
			return fmt.Errorf("tensor %q (bytes %d to %d) overlaps tensor %q, which ends at %d", name, t.begin, t.end, last, at)
		default:
			at, last = t.end, name
		}
	}
	return nil
}

func compareUint64(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ggufReader reads the values of the format, and nothing after the first error.
type ggufReader struct {
	in         *bufio.Reader
	size, left uint64 // bytes of the file, and of it not yet read
	err        error
}

// bytes reads n bytes, for which it asks for memory only if the file has them.
func (r *ggufReader) bytes(n uint64) []byte {
	if r.err == nil && n > r.left {
		r.err = fmt.Errorf("truncated: %d bytes announced, %d are left in the file", n, r.left)
	}
	if r.err != nil {
		return nil
	}
	data := make([]byte, n)
	r.left -= n
	_, r.err = io.ReadFull(r.in, data)
	return data
}

// fixed reads the n bytes of a number; zeros after an error.
func (r *ggufReader) fixed(n uint64) (number [8]byte) {
	if r.err == nil && n > r.left {
		r.err = fmt.Errorf("truncated: %d bytes announced, %d are left in the file", n, r.left)
	}
	var raw []byte
	if r.err == nil {
		raw, r.err = r.in.Peek(int(n))
	}
	if r.err == nil {
		copy(number[:], raw)
		r.left -= n
		_, r.err = r.in.Discard(int(n))
	}
	return number
}

func (r *ggufReader) uint32() uint32 {
	b := r.fixed(4)
	return binary.LittleEndian.Uint32(b[:])
}

func (r *ggufReader) uint64() uint64 {
	b := r.fixed(8)
	return binary.LittleEndian.Uint64(b[:])
}

func (r *ggufReader) string() string { return string(r.bytes(r.uint64())) }

// value reads a value of a kind.
func (r *ggufReader) value(kind ggufKind) (any, error) {
	switch kind {
	case ggufString:
		return r.string(), nil
	case ggufArrayKind:
		return r.array()
	}
	size, known := ggufKindSizes[kind]
	if !known {
		return nil, fmt.Errorf("a value of the unknown type %d", kind)
	}
	raw := r.fixed(size)
	return kind.number(raw[:]), nil
}

// array reads a list.
func (r *ggufReader) array() (any, error) {
	kind, n := ggufKind(r.uint32()), r.uint64()
	size, fixed := ggufKindSizes[kind]
	switch {
	case r.err != nil:
		return nil, r.err
	case fixed && n <= r.left/size:
		return ggufArray{kind, r.bytes(n * size)}, nil
	case kind == ggufString && n <= r.left/8: // the length of each
		list := make([]string, 0, n)
		for range n {
			list = append(list, r.string())
			if r.err != nil {
				break
			}
		}
		return list, r.err
	case fixed || kind == ggufString:
		return nil, fmt.Errorf("a list of %d announced, %d bytes are left in the file", n, r.left)
	}
	return nil, fmt.Errorf("a list of the type %d", kind)
}

// number reads a number or truth value from the beginning of raw: as int64 or, where that is too small, uint64; as float64;
// or as bool.
func (k ggufKind) number(raw []byte) any {
	switch le := binary.LittleEndian; k {
	case ggufUint8:
		return int64(raw[0])
	case ggufInt8:
		return int64(int8(raw[0]))
	case ggufUint16:
		return int64(le.Uint16(raw))
	case ggufInt16:
		return int64(int16(le.Uint16(raw)))
	case ggufUint32:
		return int64(le.Uint32(raw))
	case ggufInt32:
		return int64(int32(le.Uint32(raw)))
	case ggufInt64:
		return int64(le.Uint64(raw))
	case ggufUint64:
		if v := le.Uint64(raw); v > math.MaxInt64 {
			return v
		}
		return int64(le.Uint64(raw))
	case ggufFloat32:
		return float64(math.Float32frombits(le.Uint32(raw)))
	case ggufFloat64:
		return math.Float64frombits(le.Uint64(raw))
	}
	return raw[0] != 0
}
