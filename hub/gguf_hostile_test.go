package hub

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// smallGGUF is a whole file of two tensors.
func smallGGUF(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	numbers := func() ([]float32, error) { return make([]float32, 6), nil }
	err := writeGGUF(&out, []ggufPair{
		{"general.architecture", "llama"}, {"n", uint32(7)}, {"f", float32(0.5)}, {"yes", true}, {"list", []string{"a", "bc"}},
		{"scores", []float32{1, 2}}, {"types", []int32{-1, 3}},
	}, []ggufTensor{{"a", F32, []int{2, 3}, numbers}, {"b", BF16, []int{6}, numbers}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openGGUFBytes(data []byte) (*ggufFile, error) {
	return newGGUF("memory", bytes.NewReader(data), int64(len(data)))
}

func TestGGUFContainerReadsBackAsWritten(t *testing.T) {
	g, err := openGGUFBytes(smallGGUF(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err1 := g.int("n", 0, 10)
	f, err2 := g.float("f")
	yes, err3 := g.boolOr("yes", false)
	list, err4 := g.texts("list")
	scores, err5 := g.floats("scores")
	types, err6 := g.ints("types")
	if err := errorsOf(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	if n != 7 || f != 0.5 || !yes || strings.Join(list, ",") != "a,bc" || scores[1] != 2 || types[0] != -1 {
		t.Errorf("read %v %v %v %v %v %v", n, f, yes, list, scores, types)
	}
	if info, _ := g.Info("a"); info.Shape[0] != 2 || info.Shape[1] != 3 {
		t.Errorf("the shape is %v", info.Shape)
	}
}

func TestHostileGGUFIsAnError(t *testing.T) {
	whole := smallGGUF(t)
	at := func(text string) int { return bytes.Index(whole, []byte(text)) }
	tensorA := bytes.LastIndex(whole, []byte("a\x02\x00\x00\x00")) + 5 // behind the number of dimensions
	for name, c := range map[string]struct {
		at    int
		value uint64
		bytes int
		want  string
	}{
		"magic":             {0, 0, 4, "not a GGUF file"},
		"version 1":         {4, 1, 4, "version 1"},
		"big-endian":        {4, 3 << 24, 4, "version"},
		"many tensors":      {8, math.MaxUint64, 8, "announced"},
		"many values":       {16, 1 << 40, 8, "announced"},
		"long key":          {24, 1 << 60, 8, "truncated"},
		"unknown type":      {at("general.architecture") + 20, 77, 4, "general.architecture: a value of the unknown type 77"},
		"list of lists":     {at("list") + 4 + 4, 9, 4, "list: a list of the type 9"},
		"long list":         {at("scores") + 6 + 8, 1 << 62, 8, "scores: a list of"},
		"dimensions":        {tensorA - 4, 9, 4, "9 dimensions"},
		"huge shape":        {tensorA, math.MaxUint64, 8, "larger than any file"},
		"beyond the end":    {tensorA, 1 << 40, 8, "truncated"},
		"no known tensor":   {tensorA + 16, 222, 4, ""},
		"offset":            {tensorA + 20, 7, 8, "alignment"},
		"overlap":           {tensorA + 20, 32, 8, "overlaps"},
		"offset in the far": {tensorA + 20, math.MaxUint64 - 31, 8, "larger than any file"},
	} {
		data := bytes.Clone(whole)
		value := binary.LittleEndian.AppendUint64(nil, c.value)
		copy(data[c.at:], value[:c.bytes])
		g, err := openGGUFBytes(data)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if _, err := g.find("a", F32); err == nil || !strings.Contains(err.Error(), "222") {
				t.Errorf("%s: reading the tensor: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "memory: ") {
			t.Errorf("%s: the error is %v, want one with %q", name, err, c.want)
		}
	}
	for n := range len(whole) {
		if _, err := openGGUFBytes(whole[:n]); err == nil && n < len(whole)-31 { // the last tensor ends before the padding
			t.Fatalf("cut to %d of %d bytes it opens", n, len(whole))
		}
	}
}

func FuzzGGUF(f *testing.F) {
	f.Add(smallGGUF(f))
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := openGGUFBytes(data)
		if err != nil {
			return
		}
		for _, name := range g.Tensors() {
			info, _ := g.Info(name)
			if values, _, err := g.Float32(name); err == nil && (len(values) != info.Len() || 2*len(values) > len(data)) {
				t.Fatalf("%q: %d values for shape %v in %d bytes", name, len(values), info.Shape, len(data))
			}
		}
		g.decoder(inFull)
		g.tokenizer()
	})
}
