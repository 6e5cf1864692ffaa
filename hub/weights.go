package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

const (
	weightsFile  = "model.safetensors"
	weightsIndex = "model.safetensors.index.json"
)

// Weights are the tensors of a model directory, one model.safetensors or several files with an index, or those of a GGUF
// file. Close them when done.
type Weights struct {
	path  string // of the file or the index, for errors
	files []*File
	where map[string]*File // by the tensor's name
	// Of a GGUF file: names are its own, matrices are stored [out, in] whatever the architecture, and rows of heads may be in
	// an order of its own.
	gguf bool
}

// stored is the name under which a parameter belongs in the file.
func (w *Weights) stored(parameter string) string {
	if !w.gguf {
		return parameter
	}
	return ggufName(parameter)
}

// OpenWeights opens the files of a directory and checks their headers. That a file of the index is missing, holds a tensor
// that another holds too, or lacks one that the index gives it, is an error that names both.
func OpenWeights(dir string) (*Weights, error) {
	w := &Weights{path: filepath.Join(dir, weightsFile), where: map[string]*File{}}
	if err := w.add(w.path); err == nil || !errors.Is(err, fs.ErrNotExist) || !isFile(filepath.Join(dir, weightsIndex)) {
		return w, err
	}
	w.path = filepath.Join(dir, weightsIndex)
	if err := w.openShards(dir); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// openShards opens the files that the index names.
func (w *Weights) openShards(dir string) error {
	index, err := ReadConfig(w.path)
	if err != nil {
		return err
	}
	shards, err := parseIndex(index)
	if err != nil {
		return err
	}
	opened := map[string]*File{}
	for _, name := range slices.Compact(slices.Sorted(maps.Values(shards))) {
		if err := w.add(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%s: %w", w.path, err)
		}
		opened[name] = w.files[len(w.files)-1]
	}
	for _, tensor := range slices.Sorted(maps.Keys(shards)) {
		if file := opened[shards[tensor]]; w.where[tensor] != file {
			return fmt.Errorf("%s: there is no tensor %q, which %s says is there", file.Path(), tensor, w.path)
		}
	}
	return nil
}

// parseIndex reads the weight_map of an index: which file holds which tensor. Only files beside the index are accepted.
func parseIndex(index *Config) (map[string]string, error) {
	var content struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := index.Decode(&content); err != nil {
		return nil, err
	}
	if len(content.WeightMap) == 0 {
		return nil, fmt.Errorf("%s: weight_map is missing or empty; it must name the file of every tensor", index.Path())
	}
	for _, tensor := range slices.Sorted(maps.Keys(content.WeightMap)) {
		name := content.WeightMap[tensor]
		if name != filepath.Base(name) || strings.ContainsAny(name, `/\`) || !strings.HasSuffix(name, ".safetensors") {
			return nil, fmt.Errorf("%s: weight_map gives tensor %q the file %q; it must be a .safetensors file in the same directory", index.Path(), tensor, name)
		}
	}
	return content.WeightMap, nil
}

// add opens one file.
func (w *Weights) add(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	w.files = append(w.files, f)
	for _, name := range f.Tensors() {
		if other, twice := w.where[name]; twice {
			return fmt.Errorf("%s: tensor %q is in %s too", path, name, other.Path())
		}
		w.where[name] = f
	}
	return nil
}

// Close closes all files.
func (w *Weights) Close() error {
	var errs []error
	for _, f := range w.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Path returns the path of the file or of the index.
func (w *Weights) Path() string { return w.path }

// Tensors returns the names of all tensors, sorted.
func (w *Weights) Tensors() []string { return slices.Sorted(maps.Keys(w.where)) }

// Info returns a tensor's description, and whether there is one.
func (w *Weights) Info(name string) (TensorInfo, bool) {
	f, ok := w.where[name]
	if !ok {
		return TensorInfo{}, false
	}
	return f.Info(name)
}

// same says whether two tensors hold the same numbers.
func (w *Weights) same(a, b string) (bool, error) {
	x, _, err := w.where[a].Float32(a)
	if err != nil {
		return false, err
	}
	y, _, err := w.where[b].Float32(b)
	return slices.Equal(x, y), err
}

// source is where a parameter's numbers come from.
type source struct {
	param      *nn.Param
	file       *File
	info       TensorInfo
	transposed bool // stored [in, out]
	heads      int  // above 0: the rows of so many heads are stored interleaved
}

// whole says that the numbers cannot be read in pieces.
func (s source) whole() bool { return s.transposed || s.heads > 0 }

// source checks that a parameter is stored under the given name as it should be.
func (w *Weights) source(p *nn.Param, name string) (source, error) {
	f := w.where[name]
	info, err := f.find(name, F32, F16, BF16)
	if err != nil {
		return source{}, err
	}
	s := source{param: p, file: f, info: info, transposed: p.Transposed && !w.gguf}
	want := p.Shape
	if s.transposed {
		want = p.StoredShape()
	}
	if !slices.Equal(info.Shape, want) {
		return source{}, fmt.Errorf("%s: tensor %q has shape %v; the model asks for %v", f.Path(), name, info.Shape, want)
	}
	return s, nil
}

// pieceElements is how many numbers one goroutine reads at a time.
const pieceElements = 1 << 20

// readSources fills parameters from their sources, on every processor there is.
func readSources(sources []source) error {
	type piece struct{ source, from, to int }
	var pieces []piece
	for i, s := range sources {
		n, step := s.param.Size(), pieceElements
		if s.whole() {
			step = n // in one piece
		}
		for from := 0; from < n; from += step {
			pieces = append(pieces, piece{i, from, min(from+step, n)})
		}
	}
	return inParallel(len(pieces), func(i int) error {
		return sources[pieces[i].source].read(pieces[i].from, pieces[i].to)
	})
}

// inParallel does numbered pieces of work on every processor there is, and returns their errors.
func inParallel(pieces int, do func(i int) error) error {
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, pieces)
	for range min(runtime.GOMAXPROCS(0), pieces) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < pieces; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// read fills the parameter with the stored elements [from, to).
func (s source) read(from, to int) error {
	if !s.whole() {
		return s.file.readPart(s.info, from, s.param.Data[from:to])
	}
	return s.readWhole(s.param.Data)
}

// readWhole fills dst with all numbers, brought into order.
func (s source) readWhole(dst []float32) error {
	stored := make([]float32, len(dst))
	if err := s.file.readPart(s.info, 0, stored); err != nil {
		return err
	}
	if s.transposed {
		transpose(dst, stored, s.info.Shape[0], s.info.Shape[1])
	} else {
		separate(dst, stored, s.heads, len(stored)/s.info.Shape[0])
	}
	return nil
}

// readHalf fills a matrix [out, in] with the stored numbers, rounded to bfloat16 if they are of another type.
func (s source) readHalf(to kernel.Half) error {
	if s.whole() {
		straight := make([]float32, s.param.Size())
		if err := s.readWhole(straight); err != nil {
			return err
		}
		for i := range to.Rows {
			to.SetRow(i, straight[i*to.Cols:])
		}
		return nil
	}
	rows := max(1, pieceElements/max(1, to.Cols))
	return inParallel((to.Rows+rows-1)/rows, func(i int) error {
		first, end := i*rows, min((i+1)*rows, to.Rows)
		return s.readHalfRows(first, to.Slice(first, end))
	})
}

// readHalfRows fills rows with the stored ones from the given one on.
func (s source) readHalfRows(first int, to kernel.Half) error {
	if s.info.DType == BF16 && to.Cols%2 == 0 {
		part, bytes := s.info, to.Bytes()
		part.begin += 2 * uint64(first*to.Cols)
		part.end = part.begin + uint64(len(bytes))
		return s.file.eachChunk(part, func(raw []byte) { bytes = bytes[copy(bytes, raw):] })
	}
	wide := make([]float32, to.Rows*to.Cols)
	if err := s.file.readPart(s.info, first*to.Cols, wide); err != nil {
		return err
	}
	for i := range to.Rows {
		to.SetRow(i, wide[i*to.Cols:])
	}
	return nil
}

// tensorOf is a parameter as it is stored. The data is the parameter's own, unless it is stored transposed.
func tensorOf(p *nn.Param, as DType) Tensor {
	t := Tensor{Name: p.Name, DType: as, Shape: p.StoredShape(), Float32: p.Data}
	if p.Transposed {
		t.Float32 = make([]float32, len(p.Data))
		transpose(t.Float32, p.Data, p.Shape[0], p.Shape[1])
	}
	return t
}

// transpose writes src [rows, cols] to dst as [cols, rows], by blocks that stay in cache.
func transpose(dst, src []float32, rows, cols int) {
	const block = 32
	for i0 := 0; i0 < rows; i0 += block {
		for j0 := 0; j0 < cols; j0 += block {
			for i := i0; i < min(i0+block, rows); i++ {
				for j := j0; j < min(j0+block, cols); j++ {
					dst[j*rows+i] = src[i*cols+j]
				}
			}
		}
	}
}

// saveWeights writes tensors into a directory: as one file, or as several of at most limit bytes each (a tensor that is
// larger has one of its own) with an index. With a limit of 0 there is one file.
func saveWeights(dir string, tensors []Tensor, limit int) error {
	metadata := map[string]string{"format": "pt"}
	shards, total, err := cutShards(tensors, limit)
	if err != nil {
		return err
	}
	if len(shards) == 1 {
		return SaveSafetensors(filepath.Join(dir, weightsFile), tensors, metadata)
	}
	where := map[string]string{}
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		for _, t := range shard {
			where[t.Name] = name
		}
		if err := SaveSafetensors(filepath.Join(dir, name), shard, metadata); err != nil {
			return err
		}
	}
	index := NewConfig(filepath.Join(dir, weightsIndex))
	if err := index.Merge(map[string]any{"metadata": map[string]int{"total_size": total}, "weight_map": where}); err != nil {
		return err
	}
	return index.Save(index.Path())
}

// cutShards divides tensors, in their order, into runs of at most limit bytes, and says how many bytes there are in all.
func cutShards(tensors []Tensor, limit int) (shards [][]Tensor, total int, err error) {
	begin, held := 0, 0
	for i, t := range tensors {
		size, err := t.bytes()
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if limit > 0 && i > begin && held+size > limit {
			shards, begin, held = append(shards, tensors[begin:i]), i, 0
		}
		held, total = held+size, total+size
	}
	return append(shards, tensors[begin:]), total, nil
}
