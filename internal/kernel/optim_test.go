package kernel

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// readTensors reads a safetensors file of float32 and float64 tensors.
func readTensors(t *testing.T, path string) map[string][]float64 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the optimisers' fixtures are missing: %v", err)
	}
	size := binary.LittleEndian.Uint64(raw)
	header, body := raw[8:8+size], raw[8+size:]
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		t.Fatal(err)
	}
	delete(entries, "__metadata__")
	all := map[string][]float64{}
	for name, entry := range entries {
		var e struct {
			Dtype   string
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(entry, &e); err != nil {
			t.Fatal(err)
		}
		for b := body[e.Offsets[0]:e.Offsets[1]]; len(b) > 0; {
			switch e.Dtype {
			case "F32":
				all[name] = append(all[name], float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
				b = b[4:]
			case "F64":
				all[name] = append(all[name], math.Float64frombits(binary.LittleEndian.Uint64(b)))
				b = b[8:]
			default:
				b = nil
			}
		}
	}
	return all
}

func narrow(v []float64) []float32 {
	w := make([]float32, len(v))
	for i, x := range v {
		w[i] = float32(x)
	}
	return w
}

func TestAdamMatchesTorch(t *testing.T) {
	all := readTensors(t, filepath.Join("..", "..", "..", "shared", "fixtures", "optim", "optim.safetensors"))
	for name, o := range map[string]AdamParams{
		"adamw":   {LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, Decoupled: true},
		"adam":    {LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
		"adam_l2": {LR: 0.01, Beta1: 0.9, Beta2: 0.95, Eps: 1e-6, WeightDecay: 0.05},
	} {
		o.GradScale = 1
		for _, param := range []string{"A", "B", "C", "v"} {
			w := all["W/"+param]
			n := len(w)
			if n == 0 {
				t.Fatalf("the fixture has no W/%s", param)
			}
			w64, m64, v64 := append([]float64(nil), w...), make([]float64, n), make([]float64, n)
			w32, m32, v32 := narrow(w), make([]float32, n), make([]float32, n)
			for o.Step = 1; o.Step <= 5; o.Step++ {
				g := all[fmt.Sprintf("grad%d/%s", o.Step, param)]
				s := newAdamStep[float64](o)
				adamRowPortable(w64, g, m64, v64, &s)
				(*Pool)(nil).Adam(w32, narrow(g), m32, v32, o)
				want := all[fmt.Sprintf("%s_float64/step%d/%s", name, o.Step, param)]
				for i := range want {
					if math.Abs(w64[i]-want[i]) > 1e-9 {
						t.Fatalf("%s step %d: %s[%d] = %.12g in float64, want %.12g", name, o.Step, param, i, w64[i], want[i])
					}
					if math.Abs(float64(w32[i])-want[i]) > 2e-6 {
						t.Fatalf("%s step %d: %s[%d] = %.9g in float32, want %.9g", name, o.Step, param, i, w32[i], want[i])
					}
				}
			}
		}
	}
}
