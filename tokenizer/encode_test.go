package tokenizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// small is the tokenizer of testdata that knows GPT-2's pattern.
func small(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Parse(local(t, "gpt2.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestAnyBytesComeBack(t *testing.T) {
	tok := small(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		b := make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		for _, text := range []string{string(b), randomText(r, 40)} {
			if got := tok.Decode(tok.Append(nil, text), true); got != text {
				t.Fatalf("%q comes back as %q", text, got)
			}
		}
	}
}

func FuzzEncode(f *testing.F) {
	tok := small(f)
	f.Add("The baker doesn't listen.</s>  boulanger\xff\xfe", uint64(1))
	f.Add(strings.Repeat("ab", 100), uint64(2))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		for name, ids := range map[string][]int32{
			"Append":        tok.Append(nil, text),
			"Encode":        tok.Encode(text),
			"AppendDropout": tok.AppendDropout(nil, text, 0.3, rand.New(rand.NewPCG(seed, 0))),
		} {
			if got := tok.Decode(ids, false); got != text {
				t.Fatalf("%s: %q comes back as %q", name, text, got)
			}
		}
		for _, id := range tok.Append(nil, text) {
			if tok.Special(id) {
				t.Fatalf("plain text %q holds the special token %d", text, id)
			}
		}
	})
}

func bpeOf(tok *Tokenizer) *bpe { return tok.model.(*bpe) }

// mergeNaively applies the merges one by one in the order of their ranks.
func mergeNaively(tok *Tokenizer, word string) []int32 {
	m := bpeOf(tok)
	var ids []int32
	for i := range len(word) {
		ids = append(ids, m.bytes[word[i]])
	}
	for {
		at, best := -1, noRank
		for i := 0; i+1 < len(ids); i++ {
			if r := m.merges.rank(ids[i], ids[i+1]); r < best {
				at, best = i, r
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, m.merges.merged(ids[at], ids[at+1]))
	}
}

// TestLongWordsMergeAsShortOnesDo holds the scan of short words and the queue of long
// ones against the definition.
func TestLongWordsMergeAsShortOnesDo(t *testing.T) {
	tok := small(t)
	r := rand.New(rand.NewPCG(5, 6))
	letters := []string{"th", "e", "in", "l", "le", "a", "en", "t", "r", "s", "\xc3", "\xa9"}
	for n := range 150 {
		var b strings.Builder
		for range n {
			b.WriteString(letters[r.IntN(len(letters))])
		}
		word := b.String()
		want := mergeNaively(tok, word)
		e := tok.acquire()
		if got := tok.appendWord(e, nil, word); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", word, got, want)
		}
		if got := bpeOf(tok).appendLong(e, nil, word); !slices.Equal(got, want) {
			t.Fatalf("%q through the queue: %v, want %v", word, got, want)
		}
		tok.release(e)
	}
}

func TestAWordOfAMegabyteIsNotQuadratic(t *testing.T) {
	tok := small(t)
	r := rand.New(rand.NewPCG(7, 8))
	letters := make([]byte, 1<<20)
	for i := range letters {
		letters[i] = "etaoinshrdl"[r.IntN(11)]
	}
	for name, word := range map[string]string{"letters": string(letters), "one letter": strings.Repeat("l", 1<<20)} {
		begin := time.Now()
		ids := tok.Append(nil, word)
		if took := time.Since(begin); took > 20*time.Second { // quadratic would take hours
			t.Errorf("%s: %v", name, took)
		}
		if tok.Decode(ids, false) != word {
			t.Errorf("%s: the word does not come back", name)
		}
	}
}

// TestRememberedWordsStayRight encodes far more distinct words than are remembered.
func TestRememberedWordsStayRight(t *testing.T) {
	tok := small(t)
	r := rand.New(rand.NewPCG(9, 10))
	words := make([]string, 150_000)
	for i := range words {
		b := make([]byte, 1+r.IntN(24))
		for k := range b {
			b[k] = "etaoinshr"[r.IntN(9)]
		}
		words[i] = string(b)
	}
	for range 2 {
		for _, w := range words {
			if got := tok.Decode(tok.Append(nil, w), false); got != w {
				t.Fatalf("%q comes back as %q", w, got)
			}
		}
	}
	for _, w := range words[:2000] {
		if got, want := tok.Append(nil, w), mergeNaively(tok, w); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", w, got, want)
		}
	}
}

func TestManyGoroutinesEncodeAtOnce(t *testing.T) {
	tok := small(t)
	r := rand.New(rand.NewPCG(11, 12))
	texts := make([]string, 200)
	want := make([][]int32, len(texts))
	for i := range texts {
		texts[i] = randomText(r, 50)
		want[i] = small(t).Append(nil, texts[i])
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i, text := range texts {
				if got := tok.Append(nil, text); !slices.Equal(got, want[i]) {
					t.Errorf("%q: %v, want %v", text, got, want[i])
				}
			}
		})
	}
	wait.Wait()
}

func TestAppendAllocatesNothingOnceWarm(t *testing.T) {
	tok := small(t)
	text := strings.Repeat("The baker doesn't speak "+strings.Repeat("x", 300)+" boulangerboulangerboulanger\n", 5)
	rng := rand.New(rand.NewPCG(1, 1))
	dst := tok.AppendDropout(nil, text, 1, rng)
	for name, run := range map[string]func(){
		"Append":        func() { dst = tok.Append(dst[:0], text) },
		"AppendDropout": func() { dst = tok.AppendDropout(dst[:0], text, 0.1, rng) },
	} {
		if n := testing.AllocsPerRun(50, run); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestDropoutGoesFromWholeWordsToBytes(t *testing.T) {
	tok := small(t)
	text := "The baker opens the door and " + strings.Repeat("boulang", 20)
	encode := func(p float64, seed uint64) []int32 {
		return tok.AppendDropout(nil, text, p, rand.New(rand.NewPCG(seed, 0)))
	}
	if got, want := encode(0, 1), tok.Append(nil, text); !slices.Equal(got, want) {
		t.Errorf("p = 0: %v, want %v", got, want)
	}
	if a, b := encode(0.1, 1), encode(0.1, 1); !slices.Equal(a, b) {
		t.Errorf("the same seed gives %v and %v", a, b)
	}
	if a, b := encode(0.1, 1), encode(0.1, 2); slices.Equal(a, b) {
		t.Errorf("two seeds give the same ids %v", a)
	}
	for _, p := range []float64{0.1, 0.5, 0.9} {
		if got := tok.Decode(encode(p, 1), false); got != text {
			t.Errorf("p = %v: comes back as %q", p, got)
		}
	}
	plain, err := Train(slices.Values([]string{text}), TrainOptions{VocabSize: 300, InitialAlphabet: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := plain.AppendDropout(nil, text, 1, rand.New(rand.NewPCG(1, 0))); len(got) != len(text) {
		t.Errorf("p = 1: %d ids for %d bytes", len(got), len(text))
	}
}

// TestDropoutSkipsWithItsProbability counts the ways in which "aaa" with the one merge
// a+a is cut: the first pair merges with 1-p, else the second with 1-p, so that no pair
// merges with p². A word of the same kind through the queue must agree.
func TestDropoutSkipsWithItsProbability(t *testing.T) {
	tok, err := Train(slices.Values([]string{"aa"}), TrainOptions{VocabSize: 257, InitialAlphabet: true})
	if err != nil {
		t.Fatal(err)
	}
	const p, rounds = 0.3, 20000
	rng := rand.New(rand.NewPCG(1, 2))
	aa, _ := tok.ID("aa")
	for name, appendWord := range map[string]func(*encoder, []int32, string) []int32{
		"short": bpeOf(tok).append, "long": bpeOf(tok).appendLong,
	} {
		e := tok.acquire()
		e.drop = dropout{p, rng}
		first, second, none := 0.0, 0.0, 0.0
		for range rounds {
			switch ids := appendWord(e, nil, "aaa"); {
			case len(ids) == 3:
				none++
			case ids[0] == aa:
				first++
			default:
				second++
			}
		}
		tok.release(e)
		for _, c := range []struct{ got, want float64 }{{first, 1 - p}, {second, p * (1 - p)}, {none, p * p}} {
			if math.Abs(c.got/rounds-c.want) > 0.015 { // five standard deviations
				t.Errorf("%s word: a share of %.3f, want %.3f", name, c.got/rounds, c.want)
			}
		}
	}
}
