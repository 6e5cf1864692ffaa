package hub

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"runtime/debug"
	"slices"
	"sort"

	"github.com/parley-lm/parley/internal/mmap"
)

// maxHeader is the largest safetensors header that the reference implementation accepts, in bytes.
const maxHeader = 100_000_000

// chunkBytes is how much of a tensor is read or written at a time; a multiple of every element size.
const chunkBytes = 1 << 16

// TensorInfo describes one stored tensor.
type TensorInfo struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar

	begin, end uint64 // byte range after the header
}

// Len returns the number of elements.
func (t TensorInfo) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// File is an open safetensors file. Its header is in memory and checked; the numbers are read when asked for, from a
// mapping of the file where the system has that. It may be read from several goroutines at once. Close it when done.
type File struct {
	path      string
	data      io.ReaderAt
	mapped    []byte   // the whole file, or nil
	file      *os.File // with mapped
	closer    func() error
	dataStart int64
	tensors   map[string]TensorInfo
	names     []string
	metadata  map[string]string
}

// Open opens a safetensors file and checks its whole header: known dtypes, shapes that fit their byte ranges, ranges
// that follow each other without hole or overlap up to the end of the file, no name twice. Errors name file and tensor.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	stat, err := f.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	file, err := newFile(path, f, stat.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	file.closer = f.Close
	if mapped, unmap := mmap.Map(f, stat.Size()); mapped != nil {
		file.mapped, file.file = mapped, f
		file.closer = func() error { return errors.Join(unmap(), f.Close()) }
	}
	return file, nil
}

// newFile reads and checks the header of size bytes of safetensors data.
func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	var prefix [8]byte
	if size < 8 {
		return nil, fmt.Errorf("%s: not a safetensors file: %d bytes, and the header length alone takes 8", path, size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, fmt.Errorf("%s: reading the header length: %w", path, err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return nil, fmt.Errorf("%s: header of %d bytes announced, at most %d are allowed; is this a safetensors file?", path, length, maxHeader)
	}
	if length > uint64(size-8) {
		return nil, fmt.Errorf("%s: truncated: header of %d bytes announced, %d bytes are left in the file", path, length, size-8)
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, 8); err != nil {
		return nil, fmt.Errorf("%s: reading the header: %w", path, err)
	}
	file := &File{path: path, data: r, dataStart: 8 + int64(length), tensors: map[string]TensorInfo{}}
	if err := file.parseHeader(header); err != nil {
		return nil, fmt.Errorf("%s: safetensors header: %w", path, err)
	}
	if err := file.checkLayout(uint64(size) - 8 - length); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// parseHeader walks the JSON header token by token, because encoding/json would accept the same key twice.
func (f *File) parseHeader(header []byte) error {
	if len(header) == 0 || header[0] != '{' {
		return errors.New("does not begin with {")
	}
	d := json.NewDecoder(bytes.NewReader(header))
	err := eachField(d, func(name string) error {
		if name == "__metadata__" {
			if f.metadata != nil {
				return errors.New("__metadata__ stands there twice")
			}
			f.metadata = map[string]string{}
			if err := d.Decode(&f.metadata); err != nil {
				return fmt.Errorf("__metadata__ must map strings to strings: %w", err)
			}
			return nil
		}
		if _, twice := f.tensors[name]; twice {
			return fmt.Errorf("tensor %q stands there twice", name)
		}
		info, err := parseTensor(d)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		info.Name = name
		f.tensors[name] = info
		f.names = append(f.names, name)
		return nil
	})
	if err != nil {
		return err
	}
	if rest := bytes.TrimLeft(header[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return fmt.Errorf("%d bytes follow the closing brace", len(rest))
	}
	slices.Sort(f.names)
	return nil
}

// eachField reads one JSON object from d, calling value after each key to consume the value.
func eachField(d *json.Decoder, value func(key string) error) error {
	token, err := d.Token()
	if err != nil {
		return jsonError(err)
	}
	if token != json.Delim('{') {
		return errors.New("must be a JSON object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return jsonError(err)
		}
		if err := value(key.(string)); err != nil { // in an object, the token before a value is always a string
			return err
		}
	}
	_, err = d.Token()
	return jsonError(err)
}

// jsonError makes the end of the input readable.
func jsonError(err error) error {
	if err == io.EOF {
		return errors.New("JSON ends too early")
	}
	return err
}

func parseTensor(d *json.Decoder) (info TensorInfo, err error) {
	var shape, offsets []uint64
	seen := map[string]bool{}
	err = eachField(d, func(key string) error {
		if seen[key] {
			return fmt.Errorf("%s stands there twice", key)
		}
		seen[key] = true
		var err error
		switch key {
		case "dtype":
			err = d.Decode(&info.DType)
		case "shape":
			err = d.Decode(&shape)
		case "data_offsets":
			err = d.Decode(&offsets)
		default:
			var ignored json.RawMessage
			err = d.Decode(&ignored)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return info, err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return info, fmt.Errorf("%s is missing", key)
		}
	}
	size, known := dtypeSizes[info.DType]
	if !known {
		return info, fmt.Errorf("unknown dtype %q", info.DType)
	}
	if len(offsets) != 2 || offsets[0] > offsets[1] {
		return info, fmt.Errorf("data_offsets must be [begin, end] with begin ≤ end, not %v", offsets)
	}
	info.begin, info.end = offsets[0], offsets[1]
	bytesNeeded, fits := shapeBytes(shape, size)
	if !fits || bytesNeeded != info.end-info.begin {
		return info, fmt.Errorf("shape %v of %s does not take the %d bytes that data_offsets %v give it",
			shape, info.DType, info.end-info.begin, offsets)
	}
	info.Shape = make([]int, len(shape))
	for i, d := range shape {
		info.Shape[i] = int(d)
	}
	return info, nil
}

// shapeBytes multiplies out a shape and says whether every dimension and the product fit a signed 63-bit count.
func shapeBytes(shape []uint64, elementSize uint64) (total uint64, fits bool) {
	total = elementSize
	for _, d := range shape {
		high, low := bits.Mul64(total, d)
		if high != 0 || low > math.MaxInt64 || d > math.MaxInt64 {
			return 0, false
		}
		total = low
	}
	return total, true
}

// checkLayout demands that the byte ranges, in order, cover exactly the dataSize bytes after the header.
func (f *File) checkLayout(dataSize uint64) error {
	ordered := slices.Clone(f.names)
	sort.Slice(ordered, func(i, j int) bool {
		a, b := f.tensors[ordered[i]], f.tensors[ordered[j]]
		if a.begin != b.begin {
			return a.begin < b.begin
		}
		if a.end != b.end {
			return a.end < b.end
		}
		return a.Name < b.Name
	})
	at, last := uint64(0), ""
	for _, name := range ordered {
		t := f.tensors[name]
		switch {
		case t.end > dataSize:
			return fmt.Errorf("truncated: tensor %q ends at byte %d of the data, the file holds %d", name, t.end, dataSize)
		case t.begin < at:
			return fmt.Errorf("tensor %q (bytes %d to %d) overlaps tensor %q, which ends at %d", name, t.begin, t.end, last, at)
		case t.begin > at:
			return fmt.Errorf("tensor %q begins at byte %d of the data, but %d was expected: a hole of %d bytes", name, t.begin, at, t.begin-at)
		}
		at, last = t.end, name
	}
	if at != dataSize {
		return fmt.Errorf("the tensors end at byte %d of the data, but %d more bytes follow", at, dataSize-at)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer()
}

// Path returns the path that the file was opened with.
func (f *File) Path() string { return f.path }

// Tensors returns the names of all tensors, sorted. The caller must not change it.
func (f *File) Tensors() []string { return f.names }

// Metadata returns the strings stored under __metadata__; nil when there are none. The caller must not change it.
func (f *File) Metadata() map[string]string { return f.metadata }

// Info returns a tensor's description, and whether the file has it.
func (f *File) Info(name string) (TensorInfo, bool) {
	info, ok := f.tensors[name]
	return info, ok
}

// Float32 reads a tensor of F32, F16 or BF16, widened to float32, in row-major order. The result is the caller's.
func (f *File) Float32(name string) (values []float32, shape []int, err error) {
	info, err := f.find(name, F32, F16, BF16)
	if err != nil {
		return nil, nil, err
	}
	values = make([]float32, info.Len()) // at most twice the bytes that the file really has
	if err := f.ReadFloat32(name, values); err != nil {
		return nil, nil, err
	}
	return values, slices.Clone(info.Shape), nil
}

// ReadFloat32 is [File.Float32] into memory that the caller has; dst must have as many elements as the tensor.
func (f *File) ReadFloat32(name string, dst []float32) error {
	info, err := f.find(name, F32, F16, BF16)
	if err != nil {
		return err
	}
	if len(dst) != info.Len() {
		return fmt.Errorf("%s: tensor %q has shape %v, %d elements; %d were expected", f.path, name, info.Shape, info.Len(), len(dst))
	}
	return f.readPart(info, 0, dst)
}

// readPart widens the elements of a tensor from the given one on, as many as dst holds.
func (f *File) readPart(info TensorInfo, from int, dst []float32) error {
	size := dtypeSizes[info.DType]
	info.begin += uint64(from) * size
	info.end = info.begin + uint64(len(dst))*size
	return f.eachChunk(info, func(raw []byte) {
		n := len(raw) / int(size)
		widen(dst[:n], raw, info.DType)
		dst = dst[n:]
	})
}

// Int64 reads a tensor of I64 or I32, in row-major order. The result is the caller's.
func (f *File) Int64(name string) (values []int64, shape []int, err error) {
	info, err := f.find(name, I64, I32)
	if err != nil {
		return nil, nil, err
	}
	values = make([]int64, 0, info.Len())
	err = f.eachChunk(info, func(raw []byte) {
		if info.DType == I64 {
			for ; len(raw) >= 8; raw = raw[8:] {
				values = append(values, int64(binary.LittleEndian.Uint64(raw)))
			}
			return
		}
		for ; len(raw) >= 4; raw = raw[4:] {
			values = append(values, int64(int32(binary.LittleEndian.Uint32(raw))))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return values, slices.Clone(info.Shape), nil
}

func (f *File) find(name string, allowed ...DType) (TensorInfo, error) {
	info, ok := f.tensors[name]
	if !ok {
		return info, fmt.Errorf("%s: there is no tensor %q", f.path, name)
	}
	if !slices.Contains(allowed, info.DType) {
		return info, fmt.Errorf("%s: tensor %q is of type %s; expected one of %v", f.path, name, info.DType, allowed)
	}
	return info, nil
}

// eachChunk reads a tensor's bytes in order, a whole number of elements at a time.
func (f *File) eachChunk(info TensorInfo, use func(raw []byte)) error {
	if f.mapped != nil {
		return f.useMapped(info, use)
	}
	buffer := make([]byte, min(chunkBytes, info.end-info.begin))
	for at := info.begin; at < info.end; {
		part := buffer[:min(uint64(len(buffer)), info.end-at)]
		if _, err := f.data.ReadAt(part, f.dataStart+int64(at)); err != nil {
			return fmt.Errorf("%s: reading tensor %q: %w", f.path, info.Name, err)
		}
		use(part)
		at += uint64(len(part))
	}
	return nil
}

// useMapped is eachChunk from the mapping. Somebody may cut the file short meanwhile: what lies behind its end then faults,
// or reads as zeros up to the end of the page. Both are errors here.
func (f *File) useMapped(info TensorInfo, use func(raw []byte)) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = fmt.Errorf("%s: reading tensor %q: the file cannot be read to its end any more", f.path, info.Name)
		default:
			panic(fault)
		}
	}()
	use(f.mapped[uint64(f.dataStart)+info.begin : uint64(f.dataStart)+info.end])
	stat, err := f.file.Stat()
	if err == nil && stat.Size() < int64(len(f.mapped)) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("%s: reading tensor %q: %w", f.path, info.Name, err)
	}
	return nil
}
