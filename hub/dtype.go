package hub

import (
	"encoding/binary"
	"math"
)

// DType is the element type of a stored tensor, spelled as in a safetensors header.
type DType string

// The element types that Parley computes with or reads.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
)

// dtypeSizes lists the bytes per element of every whole-byte type of the format, so that a file which carries, say,
// a BOOL mask beside its weights can be checked and opened.
var dtypeSizes = map[DType]uint64{
	F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4,
	"F64": 8, "U64": 8, "C64": 8, "U32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1,
	"F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
}

// float16ToFloat32 widens an IEEE 754 binary16 number; every one of them is exact in float32.
func float16ToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero or subnormal: fraction × 2⁻²⁴
		magnitude := math.Float32bits(float32(fraction) * (1.0 / (1 << 24)))
		return math.Float32frombits(sign | magnitude)
	case 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// float32ToFloat16 rounds to the nearest binary16 number, ties to even; too large becomes infinity.
func float32ToFloat16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits >> 16 & 0x8000)
	magnitude := bits & 0x7fffffff
	switch {
	case magnitude > 0x7f800000: // NaN stays a (quiet) NaN
		return sign | 0x7e00
	case magnitude >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case magnitude >= 0x38800000: // normal: 2⁻¹⁴ and above
		magnitude -= (127 - 15) << 23
		return sign | uint16((magnitude+0xfff+magnitude>>13&1)>>13)
	}
	scaled := math.RoundToEven(math.Abs(float64(f)) * (1 << 24))
	return sign | uint16(scaled)
}

// bfloat16ToFloat32 widens: a bfloat16 is the upper half of a float32.
func bfloat16ToFloat32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// float32ToBfloat16 rounds to the nearest bfloat16, ties to even.
func float32ToBfloat16(f float32) uint16 {
	bits := math.Float32bits(f)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40 // keep a NaN a NaN
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// widen turns stored numbers of one of the three floating-point types into float32; raw holds as many as dst.
func widen(dst []float32, raw []byte, from DType) {
	switch from {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = float16ToFloat32(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case BF16:
		for ; len(dst) >= 4; dst, raw = dst[4:], raw[8:] { // four at a time
			x := binary.LittleEndian.Uint64(raw)
			dst[0], dst[1] = math.Float32frombits(uint32(x)<<16), math.Float32frombits(uint32(x)&0xffff0000)
			dst[2], dst[3] = math.Float32frombits(uint32(x>>32)<<16), math.Float32frombits(uint32(x>>32)&0xffff0000)
		}
		for i := range dst {
			dst[i] = bfloat16ToFloat32(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	}
}
