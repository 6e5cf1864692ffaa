package nn

import (
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/internal/memory"
)

// lowRankTable is the low-rank update of an embedding or an output layer: W + Scale·B·A or, of an embedding, W + Scale·(B·A)ᵀ. It is
// for use, not for training: while it is attached, the model computes with the sum, which is made once.
type lowRankTable struct {
	module    LoRAModule
	embedding bool
	base      *grad.Param // [rows, width]
	a, b      *grad.Param // [rank, width] and [rows, rank]; of an embedding [rank, rows] and [width, rank]
}

// UpdateTable has an embedding or an output layer updated too. It is called before Params.Allocate; parameter and used are as in
// Replace. Parameters are named as PEFT names them, of an embedding lora_embedding_A and lora_embedding_B.
func (l *LoRA) UpdateTable(base *Store, parameter string, used **grad.Param, m LoRAModule, embedding bool) {
	b := base.blockOf(parameter)
	t := &lowRankTable{module: m, embedding: embedding, base: b.whole}
	if embedding {
		t.a = l.Params.Matrix(loraPrefix+m.Name+".lora_embedding_A", m.Rank, b.rows, uniformByWidth)
		t.b = l.Params.Matrix(loraPrefix+m.Name+".lora_embedding_B", b.cols, m.Rank, Zeros)
	} else {
		nameA, nameB := LoRANames(m.Name)
		t.a, t.b = l.Params.Matrix(nameA, m.Rank, b.cols, uniformByWidth), l.Params.Matrix(nameB, b.rows, m.Rank, Zeros)
	}
	whole := new(grad.Param)
	l.Modules = append(l.Modules, m)
	l.replaced = append(l.replaced, replacement{base: b.parts[0], table: t, used: used, idle: whole, whole: whole, packs: b.use&Multiplied != 0})
}

// TableCopy returns the parameter of which PEFT writes a copy under this name beside the update of an embedding; nil if there is none.
func (l *LoRA) TableCopy(name string) *Param {
	for _, r := range l.replaced {
		if r.table != nil && name == loraPrefix+r.table.module.Name+".base_layer.weight" {
			return r.base
		}
	}
	return nil
}

// sum makes the matrix with which the model computes.
func (t *lowRankTable) sum() kernel.Mat {
	rows, cols := t.base.Value.Rows, t.base.Value.Cols
	w := kernel.NewMat(memory.Floats(rows*cols), rows, cols)
	for i := range rows {
		t.base.ReadRow(w.Row(i), i)
	}
	t.addTo(nil, w, 1)
	return w
}

// addTo adds weight times the update to w.
func (t *lowRankTable) addTo(pool *kernel.Pool, w kernel.Mat, weight float64) {
	b := multiplied(t.b.Value, t.module.Scale*weight)
	if t.embedding {
		pool.Gemm(w, t.a.Value, true, b, true, kernel.GemmOpt{Acc: true})
	} else {
		pool.Gemm(w, b, false, t.a.Value, false, kernel.GemmOpt{Acc: true})
	}
}
