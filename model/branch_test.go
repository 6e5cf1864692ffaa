package model_test

import (
	"math"
	"slices"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// Sequences that begin alike are laid out once with the beginning shared and once whole.
func TestBranchesHaveTheBitsOfWholeSequences(t *testing.T) {
	tokens := func(from, n int) (ids []int32) {
		for i := range n {
			ids = append(ids, int32((7*(from+i)+from*i)%50))
		}
		return ids
	}
	stems := [][]int32{tokens(1, 40), tokens(2, 9)}
	branches := [][][]int32{{tokens(3, 1), tokens(4, 6), tokens(5, 30)}, {tokens(6, 4), tokens(7, 5)}}
	for _, name := range []string{"gpt2", "llama", "mistral", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			m := deep(t, name, 12)
			var shared, whole model.TokenBatch
			var sharedRows, wholeRows, targets []int32
			mark := func(rows []int32, b *model.TokenBatch, n int) []int32 {
				for i := range n {
					rows = append(rows, int32(len(b.Input)-n+i))
				}
				return rows
			}
			alone := tokens(8, 12)
			shared.AddInput(alone)
			whole.AddInput(alone)
			for i, stem := range stems {
				shared.AddInput(stem)
				at := shared.Starts.Len() - 1
				for _, branch := range branches[i] {
					shared.AddBranch(at, branch)
					whole.AddInput(slices.Concat(stem, branch))
					sharedRows, wholeRows = mark(sharedRows, &shared, len(branch)), mark(wholeRows, &whole, len(branch))
					targets = append(targets, tokens(9, len(branch))...)
				}
			}
			pass := func(threads int, b *model.TokenBatch, rows []int32) (logProbs, gradients []float32) {
				tape := &grad.Tape{Pool: kernel.NewPool(threads)}
				clear(m.Store().Grads())
				tape.Begin(grad.Mode{Record: true})
				x := m.LogProbs(tape, b, rows, targets)
				logProbs = slices.Clone(x.Value().Data)
				down := make([]float32, len(logProbs))
				for i := range down {
					down[i] = float32(i%5) - 2
				}
				tape.Seed(x, kernel.NewMat(down, len(rows), 2))
				tape.Backward()
				return logProbs, slices.Clone(m.Store().Grads())
			}
			want, wantGradients := pass(1, &whole, wholeRows)
			got, gradients := pass(1, &shared, sharedRows)
			if !slices.Equal(got, want) {
				t.Error("log-probabilities differ")
			}
			far, largest := 0.0, 0.0
			for i, g := range gradients {
				far, largest = max(far, math.Abs(float64(g-wantGradients[i]))), max(largest, math.Abs(float64(wantGradients[i])))
			}
			if far > 1e-4*largest {
				t.Errorf("gradients of up to %g differ by up to %g", largest, far)
			}
			if again, more := pass(3, &shared, sharedRows); !slices.Equal(again, got) || !slices.Equal(more, gradients) {
				t.Error("three threads give other bits")
			}
		})
	}
}

func TestABranchIsJudgedAtItsLastRowAndAStemIsNot(t *testing.T) {
	m, _ := loadClassifier(t, "llama-reward")
	var b model.TokenBatch
	b.AddInput([]int32{1, 2, 3})
	b.AddInput([]int32{1, 2})
	b.AddBranch(1, []int32{3})
	b.AddBranch(1, []int32{4, 5})
	if rows := m.LastRows(nil, &b); !slices.Equal(rows, []int32{2, 5, 7}) {
		t.Errorf("read at rows %v", rows)
	}
}

func TestScoresOfAlikeTextsHaveTheBitsOfEachAlone(t *testing.T) {
	for _, name := range []string{"llama-reward", "llama-sum"} {
		m, _ := loadClassifier(t, name)
		texts := [][]int32{{1, 2, 3, 4, 5}, {1, 2, 3, 6}, {1, 2, 3, 7, 8, 9}, {1, 2, 3, 4}}
		var b model.TokenBatch
		m.AddAlike(&b, texts)
		tape := &grad.Tape{}
		tape.Begin(grad.Mode{})
		x, _ := m.TextScores(tape, &b, nil)
		got := x.Value()
		for i, ids := range texts {
			if want := scores(m, &grad.Tape{}, ids)[0]; !slices.Equal(got.Row(i), want) {
				t.Errorf("%s, text %d: %v, alone %v", name, i, got.Row(i), want)
			}
		}
	}
}
