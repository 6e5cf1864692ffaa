package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTrieFindsItsKeysAndNoOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() string {
		b := make([]byte, r.IntN(6))
		for i := range b {
			b[i] = "ab\x00\xffc\x80"[r.IntN(6)]
		}
		return string(b)
	}
	for range 50 {
		want := map[string]int32{}
		var keys []trieKey
		for i := range int32(r.IntN(300)) {
			k := random()
			want[k] = i
			keys = append(keys, trieKey{k, i})
		}
		tree := newTrie(keys)
		for range 500 {
			k := random()
			got := noToken
			if node := tree.walk(trieRoot, k); node != noToken {
				got = tree[node].value
			}
			if v, ok := want[k]; !ok && got != noToken || ok && got != v {
				t.Fatalf("%q has the value %d, want %d, %v", k, got, v, ok)
			}
		}
	}
}

// TestTrieStaysSmall makes tries of keys that share nothing, or one very long one.
func TestTrieStaysSmall(t *testing.T) {
	var keys []trieKey
	r := rand.New(rand.NewPCG(3, 4))
	bytes := 0
	for i := range int32(5000) {
		b := make([]byte, 12)
		for k := range b {
			b[k] = byte(r.IntN(256))
		}
		keys = append(keys, trieKey{string(b), i})
		bytes += len(b)
	}
	keys = append(keys, trieKey{strings.Repeat("x", 100_000), 1})
	bytes += 100_000
	if tree := newTrie(keys); len(tree) > 4*bytes {
		t.Errorf("%d cells for %d bytes", len(tree), bytes)
	}
}
