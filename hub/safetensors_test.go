package hub

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stored is a safetensors file's bytes: header length, header, n bytes of data counting up.
func stored(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

func openBytes(b []byte) (*File, error) {
	return newFile("x.safetensors", bytes.NewReader(b), int64(len(b)))
}

func TestBadSafetensorsAreErrorsNamingTheTensor(t *testing.T) {
	one := `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	cases := []struct {
		name string
		data []byte
		want []string // all must appear in the error
	}{
		{"empty file", nil, []string{"0 bytes"}},
		{"shorter than the length", []byte{1, 2, 3}, []string{"3 bytes"}},
		{"huge header", binary.LittleEndian.AppendUint64(nil, math.MaxUint64), []string{"header of 18446744073709551615 bytes"}},
		{"header over 100 MB", binary.LittleEndian.AppendUint64(nil, maxHeader+1), []string{"at most 100000000"}},
		{"header longer than the file", append(binary.LittleEndian.AppendUint64(nil, 99_000_000), '{'), []string{"truncated", "1 bytes are left"}},
		{"not JSON", stored(`hello`, 0), []string{"begin with {"}},
		{"an array", stored(`[]`, 0), []string{"begin with {"}},
		{"half an object", stored(`{"a":{"dtype":"F32"`, 0), []string{`"a"`}},
		{"something after it", stored(`{} {}`, 0), []string{"follow the closing brace"}},
		{"a tensor that is a number", stored(`{"a":1}`, 0), []string{`"a"`, "JSON object"}},
		{"the same tensor twice", stored(`{`+one+`,`+one+`}`, 8), []string{`"a"`, "twice"}},
		{"the same key twice", stored(`{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}`, 8), []string{`"a"`, "dtype", "twice"}},
		{"metadata twice", stored(`{"__metadata__":{},"__metadata__":{}}`, 0), []string{"__metadata__", "twice"}},
		{"metadata of numbers", stored(`{"__metadata__":{"a":1}}`, 0), []string{"__metadata__", "strings"}},
		{"no dtype", stored(`{"a":{"shape":[2],"data_offsets":[0,8]}}`, 8), []string{`"a"`, "dtype is missing"}},
		{"no shape", stored(`{"a":{"dtype":"F32","data_offsets":[0,8]}}`, 8), []string{`"a"`, "shape is missing"}},
		{"no offsets", stored(`{"a":{"dtype":"F32","shape":[2]}}`, 8), []string{`"a"`, "data_offsets is missing"}},
		{"unknown dtype", stored(`{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}`, 8), []string{`"a"`, `"F33"`}},
		{"negative dimension", stored(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), []string{`"a"`, "shape"}},
		{"three offsets", stored(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}`, 8), []string{`"a"`, "data_offsets"}},
		{"offsets backwards", stored(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), []string{`"a"`, "data_offsets"}},
		{"shape too large for its bytes", stored(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), []string{`"a"`, "[3]"}},
		{"shape that overflows", stored(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}`, 0), []string{`"a"`, "shape"}},
		{"overflow hidden by a zero", stored(`{"a":{"dtype":"F32","shape":[18446744073709551615,0],"data_offsets":[0,0]}}`, 0), []string{`"a"`, "shape"}},
		{"truncated data", stored(`{`+one+`}`, 7), []string{`"a"`, "truncated", "holds 7"}},
		{"data too long", stored(`{`+one+`}`, 9), []string{"1 more bytes"}},
		{"overlap", stored(`{`+one+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), []string{`"b"`, `"a"`, "overlaps"}},
		{"the same bytes twice", stored(`{`+one+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), []string{`"b"`, `"a"`, "overlaps"}},
		{"hole", stored(`{`+one+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16), []string{`"b"`, "hole of 4 bytes"}},
		{"hole at the start", stored(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), []string{`"a"`, "hole"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.data)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range append(c.want, "x.safetensors") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestSafetensorsReadBackAsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	long := make([]float32, 40_000) // more than one chunk
	for i := range long {
		long[i] = float32(i) - 0.5
	}
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.NaN()), math.SmallestNonzeroFloat32, 1.5}
	tensors := []Tensor{
		{Name: "z", DType: F32, Shape: []int{200, 200}, Float32: long},
		{Name: "é<&>\"", DType: F32, Shape: []int{2, 3}, Float32: special},
		{Name: "half", DType: F16, Shape: []int{3}, Float32: []float32{1, -2.5, 65504}},
		{Name: "brain", DType: BF16, Shape: []int{3}, Float32: []float32{1, -2.5, 3e38}},
		{Name: "step", DType: I64, Shape: nil, Int64: []int64{-7}},
		{Name: "none", DType: F32, Shape: []int{0, 4}, Float32: nil},
	}
	if err := SaveSafetensors(path, tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := []string{"brain", "half", "none", "step", "z", "é<&>\""}; !slices.Equal(f.Tensors(), want) {
		t.Errorf("tensors %q, want %q", f.Tensors(), want)
	}
	if f.Metadata()["format"] != "pt" {
		t.Errorf("metadata %v", f.Metadata())
	}
	for _, want := range tensors[:2] {
		got, shape, err := f.Float32(want.Name)
		if err != nil || !slices.Equal(shape, want.Shape) {
			t.Fatalf("%s: shape %v, error %v", want.Name, shape, err)
		}
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want.Float32[i]) {
				t.Fatalf("%s[%d] = %g, want %g in every bit", want.Name, i, got[i], want.Float32[i])
			}
		}
	}
	if got, _, err := f.Float32("half"); err != nil || !slices.Equal(got, []float32{1, -2.5, 65504}) {
		t.Errorf("half: %v, %v", got, err)
	}
	if got, _, err := f.Float32("brain"); err != nil || !slices.Equal(got, []float32{1, -2.5, math.Float32frombits(0x7f620000)}) {
		t.Errorf("brain: %v, %v", got, err)
	}
	if got, shape, err := f.Int64("step"); err != nil || !slices.Equal(got, []int64{-7}) || len(shape) != 0 {
		t.Errorf("step: %v %v, %v", got, shape, err)
	}
	if _, _, err := f.Int64("z"); err == nil || !strings.Contains(err.Error(), `"z" is of type F32`) {
		t.Errorf("reading floats as integers: %v", err)
	}
	if _, _, err := f.Float32("missing"); err == nil || !strings.Contains(err.Error(), `"missing"`) {
		t.Errorf("reading a tensor that is not there: %v", err)
	}
	if err := f.ReadFloat32("half", make([]float32, 2)); err == nil || !strings.Contains(err.Error(), `"half"`) {
		t.Errorf("reading into too little memory: %v", err)
	}
}

func TestWritingIsDeterministicAndAligned(t *testing.T) {
	a := Tensor{Name: "a", DType: BF16, Shape: []int{1}, Float32: []float32{1}}
	b := Tensor{Name: "b", DType: F32, Shape: []int{1}, Float32: []float32{1}}
	c := Tensor{Name: "c", DType: F32, Shape: []int{1}, Float32: []float32{1}}
	metadata := map[string]string{"x": "1", "y": "2", "z": "3"}
	var first, second bytes.Buffer
	if err := WriteSafetensors(&first, []Tensor{a, b, c}, metadata); err != nil {
		t.Fatal(err)
	}
	if err := WriteSafetensors(&second, []Tensor{c, a, b}, metadata); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the order of the arguments shows in the file")
	}
	if n := binary.LittleEndian.Uint64(first.Bytes()); n%8 != 0 {
		t.Errorf("header of %d bytes is not a multiple of 8", n)
	}
	f, err := openBytes(first.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range f.Tensors() {
		info, _ := f.Info(name)
		if info.begin%dtypeSizes[info.DType] != 0 {
			t.Errorf("%s begins at %d: not aligned", name, info.begin)
		}
	}
}

func TestWritingRefusesWhatDoesNotFit(t *testing.T) {
	for name, tensors := range map[string][]Tensor{
		"too few numbers":   {{Name: "a", DType: F32, Shape: []int{3}, Float32: []float32{1}}},
		"a name twice":      {{Name: "a", DType: F32, Shape: []int{0}}, {Name: "a", DType: F32, Shape: []int{0}}},
		"a reserved name":   {{Name: "__metadata__", DType: F32, Shape: []int{0}}},
		"an unknown type":   {{Name: "a", DType: "F64", Shape: []int{0}}},
		"integers as float": {{Name: "a", DType: F32, Shape: []int{1}, Int64: []int64{1}}},
		"negative size":     {{Name: "a", DType: F32, Shape: []int{-1, -1}, Float32: []float32{1}}},
	} {
		if err := WriteSafetensors(&bytes.Buffer{}, tensors, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFileCutWhileOpenIsAnError(t *testing.T) {
	for _, n := range []int{8, 1 << 16} { // within its last page, and by pages
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := SaveSafetensors(path, []Tensor{{Name: "a", DType: F32, Shape: []int{n}, Float32: make([]float32, n)}}, nil); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := os.Truncate(path, 80); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Float32("a"); err == nil || !strings.Contains(err.Error(), `tensor "a"`) {
			t.Errorf("%d numbers: got %v", n, err)
		}
	}
}

func TestMappedFilesReadAsOthersDo(t *testing.T) {
	values := make([]float32, 3*chunkBytes)
	for i := range values {
		values[i] = float32(i%255) / 8
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	var tensors []Tensor
	for _, as := range []DType{F32, F16, BF16} {
		tensors = append(tensors, Tensor{Name: string(as), DType: as, Shape: []int{len(values)}, Float32: values})
	}
	if err := SaveSafetensors(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := *f
	read.mapped = nil
	for _, tensor := range tensors {
		mapped, _, err := f.Float32(tensor.Name)
		if err != nil {
			t.Fatal(err)
		}
		plain, _, err := read.Float32(tensor.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(mapped, plain) || !slices.Equal(mapped[:500], values[:500]) {
			t.Errorf("%s: a mapped file gives other numbers", tensor.Name)
		}
	}
}

func TestHalfPrecisionConversions(t *testing.T) {
	for h := range 1 << 16 { // every half survives the way to float32 and back
		f := float16ToFloat32(uint16(h))
		if f != f {
			if back := float16ToFloat32(float32ToFloat16(f)); back == back {
				t.Fatalf("%#04x: NaN is lost", h)
			}
			continue
		}
		if back := float32ToFloat16(f); back != uint16(h) {
			t.Fatalf("float16 %#04x → %g → %#04x", h, f, back)
		}
		if back := float32ToBfloat16(bfloat16ToFloat32(uint16(h))); back != uint16(h) && bfloat16ToFloat32(uint16(h)) == bfloat16ToFloat32(uint16(h)) {
			t.Fatalf("bfloat16 %#04x → %#04x", h, back)
		}
	}
	for _, c := range []struct {
		f       float32
		f16, bf uint16
	}{
		{1, 0x3c00, 0x3f80}, {65504, 0x7bff, 0x4780}, {65519.996, 0x7bff, 0x4780}, {65520, 0x7c00, 0x4780},
		{1.00048828125, 0x3c00, 0x3f80} /* halfway: to even */, {1.00146484375, 0x3c02, 0x3f80},
		{5.9604645e-8, 0x0001, 0x3380}, {2.9802322e-8, 0x0000, 0x3300}, {2.99e-8, 0x0001, 0x3300},
		{-2, 0xc000, 0xc000}, {1.00390625, 0x3c04, 0x3f80}, {1.01171875, 0x3c0c, 0x3f82}, {math.MaxFloat32, 0x7c00, 0x7f80},
	} {
		if got := float32ToFloat16(c.f); got != c.f16 {
			t.Errorf("float16 of %g is %#04x, want %#04x", c.f, got, c.f16)
		}
		if got := float32ToBfloat16(c.f); got != c.bf {
			t.Errorf("bfloat16 of %g is %#04x, want %#04x", c.f, got, c.bf)
		}
	}
}

func TestPublishedFilesOpen(t *testing.T) {
	files, _ := filepath.Glob("../../shared/fixtures/models/*/*.safetensors")
	if len(files) == 0 {
		t.Skip("../shared/fixtures/models is not there")
	}
	for _, path := range files {
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, name := range f.Tensors() {
			info, _ := f.Info(name)
			switch info.DType {
			case I64, I32:
				_, _, err = f.Int64(name)
			default:
				_, _, err = f.Float32(name)
			}
			if err != nil {
				t.Error(err)
			}
		}
		f.Close()
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(stored(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"I32","shape":[1],"data_offsets":[8,12]}}`, 12))
	f.Add(stored(`{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}  `, 2))
	f.Add(stored(`{"a":{"dtype":"F16","shape":[0,9007199254740993],"data_offsets":[0,0]}}`, 0))
	f.Add(stored(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],}}`, 8))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := openBytes(data)
		if err != nil {
			return
		}
		total := 0
		for _, name := range file.Tensors() {
			info, ok := file.Info(name)
			if !ok {
				t.Fatalf("%q is listed and unknown", name)
			}
			values, _, err := file.Float32(name)
			if err == nil && len(values) != info.Len() {
				t.Fatalf("%q: %d values for shape %v", name, len(values), info.Shape)
			}
			if integers, _, err := file.Int64(name); err == nil && len(integers) != info.Len() {
				t.Fatalf("%q: %d values for shape %v", name, len(integers), info.Shape)
			}
			total += int(info.end - info.begin)
		}
		if total > len(data) {
			t.Fatalf("tensors of %d bytes in a file of %d", total, len(data))
		}
	})
}
