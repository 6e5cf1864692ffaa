package hub

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Tensor is a tensor to be written: Float32 data for the types F32, F16 and BF16 (rounded to nearest even), Int64 data
// for I64. The data is row-major, only read, and must hold exactly the elements of Shape.
type Tensor struct {
	Name    string
	DType   DType
	Shape   []int
	Float32 []float32
	Int64   []int64
}

// WriteSafetensors writes tensors and optional metadata as one safetensors file. The result depends on nothing but
// the contents: tensors are laid out as the reference does, larger element sizes first and then by name, metadata is
// sorted, and the header is padded with spaces to a multiple of 8 bytes, so that every tensor is aligned.
func WriteSafetensors(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	ordered := slices.Clone(tensors)
	slices.SortFunc(ordered, func(a, b Tensor) int {
		if d := int(dtypeSizes[b.DType]) - int(dtypeSizes[a.DType]); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	header, err := marshalHeader(ordered, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	buffer := make([]byte, 0, chunkBytes)
	for _, t := range ordered {
		if err := t.write(w, buffer); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// SaveSafetensors writes a safetensors file as [WriteFileAtomic] does.
func SaveSafetensors(path string, tensors []Tensor, metadata map[string]string) error {
	return WriteFileAtomic(path, func(w io.Writer) error { return WriteSafetensors(w, tensors, metadata) })
}

func marshalHeader(ordered []Tensor, metadata map[string]string) ([]byte, error) {
	header := []byte{'{'}
	if len(metadata) > 0 {
		header = appendJSON(append(header, `"__metadata__":`...), metadata) // encoding/json sorts map keys
	}
	seen := make(map[string]bool, len(ordered))
	at := 0
	for _, t := range ordered {
		if t.Name == "__metadata__" || seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: the name is taken", t.Name)
		}
		seen[t.Name] = true
		size, err := t.bytes()
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if len(header) > 1 {
			header = append(header, ',')
		}
		header = append(appendJSON(header, t.Name), ':')
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		header = appendJSON(header, struct {
			DType   DType  `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{t.DType, shape, [2]int{at, at + size}})
		at += size
	}
	header = append(header, '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	if len(header) > maxHeader {
		return nil, fmt.Errorf("%d tensors need a header of %d bytes; the format allows %d", len(ordered), len(header), maxHeader)
	}
	return header, nil
}

// appendJSON appends v as JSON without escaping <, > and &. Values here are strings, numbers and maps of strings, which
// cannot fail to marshal.
func appendJSON(dst []byte, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("hub: " + err.Error())
	}
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...)
}

// bytes checks that data, type and shape agree and returns the stored size.
func (t Tensor) bytes() (int, error) {
	elements := 1
	for _, d := range t.Shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", t.Shape)
		}
		elements *= d
	}
	held := len(t.Float32)
	switch t.DType {
	case F32, F16, BF16:
		if t.Int64 != nil {
			return 0, fmt.Errorf("type %s with integer data", t.DType)
		}
	case I64:
		if t.Float32 != nil {
			return 0, fmt.Errorf("type %s with floating-point data", t.DType)
		}
		held = len(t.Int64)
	default:
		return 0, fmt.Errorf("cannot write type %q", t.DType)
	}
	if held != elements {
		return 0, fmt.Errorf("shape %v has %d elements, the data %d", t.Shape, elements, held)
	}
	return elements * int(dtypeSizes[t.DType]), nil
}

// write converts and writes the data, a buffer at a time.
func (t Tensor) write(w io.Writer, buffer []byte) error {
	size := int(dtypeSizes[t.DType])
	perChunk := cap(buffer) / size
	elements := max(len(t.Float32), len(t.Int64))
	for at := 0; at < elements; at += perChunk {
		end := min(at+perChunk, elements)
		out := buffer[:0]
		switch t.DType {
		case F32:
			for _, v := range t.Float32[at:end] {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
			}
		case F16:
			for _, v := range t.Float32[at:end] {
				out = binary.LittleEndian.AppendUint16(out, float32ToFloat16(v))
			}
		case BF16:
			for _, v := range t.Float32[at:end] {
				out = binary.LittleEndian.AppendUint16(out, float32ToBfloat16(v))
			}
		case I64:
			for _, v := range t.Int64[at:end] {
				out = binary.LittleEndian.AppendUint64(out, uint64(v))
			}
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}
