package hub

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// ggufPair is a metadata value to be written: a uint32, float32, bool, string, []string, []float32 or []int32.
type ggufPair struct {
	key   string
	value any
}

// ggufTensor is a tensor to be written. Its numbers are asked for when their turn comes, one tensor at a time.
type ggufTensor struct {
	name    string
	dtype   DType // F32, F16 or BF16
	shape   []int
	numbers func() ([]float32, error)
}

// writeGGUF writes metadata and tensors, in their order.
func writeGGUF(w io.Writer, pairs []ggufPair, tensors []ggufTensor) error {
	header, err := ggufHeader(pairs, tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	buffer := make([]byte, 0, chunkBytes)
	for _, t := range tensors {
		if err := t.write(w, buffer); err != nil {
			return fmt.Errorf("tensor %q: %w", t.name, err)
		}
	}
	return nil
}

// ggufHeader is all that stands before the numbers.
func ggufHeader(pairs []ggufPair, tensors []ggufTensor) ([]byte, error) {
	le := binary.LittleEndian
	out := le.AppendUint32([]byte(ggufMagic), ggufVersion)
	out = le.AppendUint64(le.AppendUint64(out, uint64(len(tensors))), uint64(len(pairs)))
	for _, p := range pairs {
		out = appendGGUFString(out, p.key)
		var err error
		if out, err = appendGGUFValue(out, p.value); err != nil {
			return nil, fmt.Errorf("%s: %w", p.key, err)
		}
	}
	types := map[DType]uint32{}
	for number := range maps.Keys(ggufTypes) {
		types[ggufTypes[number]] = number
	}
	at := uint64(0)
	for _, t := range tensors {
		if len(t.name) >= ggufMaxName {
			return nil, fmt.Errorf("tensor %q: the name is longer than the %d bytes that llama.cpp reads", t.name, ggufMaxName-1)
		}
		out = appendGGUFString(out, t.name)
		out = le.AppendUint32(out, uint32(len(t.shape)))
		for _, d := range slices.Backward(t.shape) {
			out = le.AppendUint64(out, uint64(d))
		}
		out = le.AppendUint64(le.AppendUint32(out, types[t.dtype]), at)
		at += padded(t.size())
	}
	return append(out, make([]byte, padded(uint64(len(out)))-uint64(len(out)))...), nil
}

// padded is how many bytes so many take, so that the next tensor is aligned.
func padded(n uint64) uint64 { return (n + ggufAlignment - 1) / ggufAlignment * ggufAlignment }

func (t ggufTensor) elements() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

func (t ggufTensor) size() uint64 { return uint64(t.elements()) * dtypeSizes[t.dtype] }

func (t ggufTensor) write(w io.Writer, buffer []byte) error {
	numbers, err := t.numbers()
	if err != nil {
		return err
	}
	if t.dtype == F16 {
		for i, v := range numbers {
			if a := math.Abs(float64(v)); a >= 65520 && !math.IsInf(a, 1) {
				return fmt.Errorf("element %d is %g, which f16 cannot hold; write bf16 or f32", i, v)
			}
		}
	}
	if err := (Tensor{DType: t.dtype, Float32: numbers}).write(w, buffer); err != nil {
		return err
	}
	_, err = w.Write(make([]byte, padded(t.size())-t.size()))
	return err
}

func appendGGUFString(out []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(out, uint64(len(s))), s...)
}

// appendGGUFValue appends the type of a value and the value.
func appendGGUFValue(out []byte, value any) ([]byte, error) {
	le := binary.LittleEndian
	kind := func(k ggufKind) { out = le.AppendUint32(out, uint32(k)) }
	list := func(k ggufKind, n int) {
		kind(ggufArrayKind)
		kind(k)
		out = le.AppendUint64(out, uint64(n))
	}
	switch v := value.(type) {
	case uint32:
		kind(ggufUint32)
		return le.AppendUint32(out, v), nil
	case float32:
		kind(ggufFloat32)
		return le.AppendUint32(out, math.Float32bits(v)), nil
	case bool:
		kind(ggufBool)
		if v {
			return append(out, 1), nil
		}
		return append(out, 0), nil
	case string:
		kind(ggufString)
		return appendGGUFString(out, v), nil
	case []string:
		list(ggufString, len(v))
		for _, s := range v {
			out = appendGGUFString(out, s)
		}
	case []float32:
		list(ggufFloat32, len(v))
		for _, f := range v {
			out = le.AppendUint32(out, math.Float32bits(f))
		}
	case []int32:
		list(ggufInt32, len(v))
		for _, i := range v {
			out = le.AppendUint32(out, uint32(i))
		}
	default:
		return nil, fmt.Errorf("a value of type %T", value)
	}
	return out, nil
}
