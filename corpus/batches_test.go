package corpus

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func lengths(n int) (source, target []int32) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		s := 1 + rng.Int32N(40)
		source, target = append(source, s), append(target, max(1, s+rng.Int32N(11)-4))
	}
	return source, target
}

func totals(b *Batches, i int, source, target []int32) (s, t int) {
	for _, pair := range b.Batch(i) {
		s, t = s+int(source[pair]), t+int(target[pair])
	}
	return s, t
}

func TestEveryPairOnceAnEpochWithinTheBudget(t *testing.T) {
	source, target := lengths(5000)
	source[17], target[99], target[100] = 101, 5000, 100 // the first two are too long, the third just fits
	b, err := NewBatches(source, target, 1024, 100, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.Skipped(), []int32{17, 99}) {
		t.Errorf("skipped %v", b.Skipped())
	}
	for epoch := range 3 {
		b.Epoch(epoch)
		seen := make([]int, len(source))
		smallest, largest := 1<<30, 0
		for i := range b.Len() {
			s, tt := totals(b, i, source, target)
			if s > 1024 || tt > 1024 {
				t.Fatalf("batch %d has %d and %d tokens", i, s, tt)
			}
			smallest, largest = min(smallest, max(s, tt)), max(largest, max(s, tt))
			for _, pair := range b.Batch(i) {
				seen[pair]++
			}
		}
		for pair, times := range seen {
			if want := 1; pair == 17 || pair == 99 {
				if times != 0 {
					t.Fatalf("pair %d is too long and stands in a batch", pair)
				}
			} else if times != want {
				t.Fatalf("pair %d stands in %d batches", pair, times)
			}
		}
		if smallest < largest*4/5 {
			t.Errorf("epoch %d: batches of %d to %d tokens are uneven", epoch, smallest, largest)
		}
	}
}

func TestEpochsAreReproducibleWithoutReplay(t *testing.T) {
	source, target := lengths(700)
	order := func(seed uint64, epochs ...int) (all []int32) {
		b, err := NewBatches(source, target, 512, 0, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range epochs {
			b.Epoch(e)
		}
		for i := range b.Len() {
			all = append(append(all, b.Batch(i)...), -1)
		}
		return all
	}
	fifth := order(1, 5)
	if !slices.Equal(fifth, order(1, 0, 1, 2, 3, 4, 5)) {
		t.Error("epoch 5 depends on the epochs before it")
	}
	if slices.Equal(fifth, order(1, 4)) || slices.Equal(fifth, order(2, 5)) {
		t.Error("epochs or seeds share an order")
	}
}

func TestBatchesAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		name           string
		source, target []int32
		budget         int
		want           int // batches
		err            string
	}{
		{"each as large as the budget", []int32{8, 8, 8}, []int32{1, 1, 1}, 8, 3, ""},
		{"one pair", []int32{3}, []int32{4}, 8, 1, ""},
		{"lengths of zero", []int32{0, 0}, []int32{0, 0}, 1, 1, ""},
		{"the target side fills first", []int32{1, 1, 1, 1}, []int32{4, 4, 4, 4}, 8, 2, ""},
		{"none", nil, nil, 8, 0, "no sentence pairs"},
		{"all too long", []int32{9, 1}, []int32{1, 9}, 8, 0, "all 2 sentence pairs are longer than 8"},
		{"no budget", []int32{1}, []int32{1}, 0, 0, "at least 1"},
	} {
		b, err := NewBatches(c.source, c.target, c.budget, 0, 1)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || b.Len() != c.want {
			t.Errorf("%s: %v batches, %v", c.name, b, err)
		}
	}
}

func TestLengthsMayChangeBetweenEpochs(t *testing.T) {
	source, target := lengths(100)
	b, err := NewBatches(source, target, 200, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	source[5] = 1000
	b.Epoch(1)
	if !slices.Equal(b.Skipped(), []int32{5}) {
		t.Errorf("skipped %v", b.Skipped())
	}
	count := 0
	for i := range b.Len() {
		if s, tt := totals(b, i, source, target); s > 200 || tt > 200 {
			t.Errorf("batch %d has %d and %d tokens", i, s, tt)
		}
		count += len(b.Batch(i))
	}
	if count != 99 {
		t.Errorf("%d of 99 pairs", count)
	}
	for i := range source {
		source[i] = 1000
	}
	if b.Epoch(2); b.Len() != 0 {
		t.Errorf("%d batches of pairs that are all too long", b.Len())
	}
}

func TestEpochsAllocateNothingOnceWarm(t *testing.T) {
	source, target := lengths(3000)
	b, err := NewBatches(source, target, 600, 45, 1)
	if err != nil {
		t.Fatal(err)
	}
	for e := range 20 {
		b.Epoch(e)
	}
	e, sum := 0, int32(0)
	allocations := testing.AllocsPerRun(20, func() {
		b.Epoch(e % 20)
		e++
		for i := range b.Len() {
			sum += b.Batch(i)[0]
		}
	})
	if allocations != 0 {
		t.Errorf("%g allocations an epoch", allocations)
	}
}

func BenchmarkEpoch(b *testing.B) {
	source, target := lengths(29_000)
	batches, err := NewBatches(source, target, 4096, 0, 1)
	if err != nil {
		b.Fatal(err)
	}
	for e := range b.N {
		batches.Epoch(e)
	}
}
