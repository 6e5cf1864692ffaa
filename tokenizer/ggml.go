package tokenizer

import (
	"fmt"
	"slices"
)

// GGML is a tokenizer as llama.cpp knows it, which GGUF files hold under the keys tokenizer.ggml.*.
type GGML struct {
	Model  string // gpt2: byte-level BPE; llama: BPE of characters by scores, as SentencePiece does it
	Pre    string // gpt2: by its name, how text is cut into words
	Tokens []string
	Types  []int32   // of the tokens, as ggml numbers them; nil: all are normal
	Scores []float32 // llama: neighbours of which the token with the highest score can be made merge first
	Merges []string  // gpt2: pairs with a space between

	BOS, EOS, Unknown *int32
	AddBOS, AddEOS    bool // around a text
	SpacePrefix       bool // llama: before each part of a text

	// Notes say where llama.cpp will cut text in another way than the tokenizer; they are not in the file.
	Notes []string
}

// The types of tokens.
const (
	ggmlNormal  = 1
	ggmlUnknown = 2
	ggmlControl = 3
	ggmlUser    = 4
	ggmlUnused  = 5
	ggmlByte    = 6
)

// GGML describes the tokenizer for llama.cpp, with size tokens: as many as the model has rows for. What llama.cpp cannot do is
// an error that names the part of tokenizer.json.
func (t *Tokenizer) GGML(size int) (*GGML, error) {
	if t.file == nil || t.file.bpe == nil {
		return nil, fmt.Errorf("model: GGUF files hold BPE tokenizers of tokenizer.json, no others")
	}
	if t.Size() > size {
		return nil, fmt.Errorf("has %d tokens, the model has rows for %d", t.Size(), size)
	}
	g := &GGML{}
	if err := g.frame(t); err != nil {
		return nil, err
	}
	if err := g.name(t, size); err != nil {
		return nil, err
	}
	if t.model.(*bpe).chars == nil {
		return g, g.byteLevel(t)
	}
	return g, g.characters(t)
}

// frame sets what is put around a text.
func (g *GGML) frame(t *Tokenizer) error {
	if len(t.prefix) > 1 || len(t.suffix) > 1 {
		return fmt.Errorf("post_processor: puts %d tokens before a text and %d after it; llama.cpp puts at most one", len(t.prefix), len(t.suffix))
	}
	if g.AddBOS = len(t.prefix) == 1; g.AddBOS {
		g.BOS = new(t.prefix[0])
	}
	if g.AddEOS = len(t.suffix) == 1; g.AddEOS {
		g.EOS = new(t.suffix[0])
	}
	if unk := t.model.(*bpe).unk; unk != noToken {
		g.Unknown = &unk
	}
	return nil
}

// name lists all tokens. An id without one gets a name that no text has.
func (g *GGML) name(t *Tokenizer, size int) error {
	g.Tokens, g.Types = make([]string, size), make([]int32, size)
	copy(g.Tokens, t.spelled)
	for id, token := range g.Tokens {
		g.Types[id] = ggmlNormal
		if token == "" {
			g.Tokens[id], g.Types[id] = t.freeName(id), ggmlUnused
		}
	}
	for i, a := range t.file.AddedTokens {
		g.Types[a.ID] = ggmlUser
		if a.Special {
			g.Types[a.ID] = ggmlControl
		}
		if a.SingleWord || a.Lstrip || a.Rstrip {
			return fmt.Errorf("added_tokens[%d]: %q has single_word, lstrip or rstrip, which llama.cpp lacks", i, a.Content)
		}
	}
	return nil
}

// freeName makes up a token for an id.
func (t *Tokenizer) freeName(id int) string {
	name := fmt.Sprintf("[PAD%d]", id)
	for {
		if _, taken := t.ids[name]; !taken {
			return name
		}
		name += "_"
	}
}

// byteLevel describes a BPE of bytes.
func (g *GGML) byteLevel(t *Tokenizer) error {
	g.Model = "gpt2"
	switch name, err := kindOf(t.file.Normalizer); {
	case err != nil:
		return err
	case name == "NFC":
		g.Notes = append(g.Notes, "llama.cpp does not compose characters (NFC) before it cuts text")
	case name != "":
		return fmt.Errorf("normalizer: %s; llama.cpp normalizes nothing before byte-level BPE", name)
	}
	m := t.model.(*bpe)
	if m.unk != noToken && slices.Contains(m.bytes[:], noToken) {
		return fmt.Errorf("model.unk_token: bytes that the vocabulary lacks become %q; llama.cpp drops them", t.spelled[m.unk])
	}
	if err := g.findPre(t); err != nil {
		return err
	}
	last := make(map[mergePair]int, len(t.file.bpe.Merges)) // which counts if there are several
	for i, p := range t.file.bpe.Merges {
		last[p] = i
	}
	for i, p := range t.file.bpe.Merges {
		if last[p] == i {
			g.Merges = append(g.Merges, p.left+" "+p.right)
		}
	}
	return nil
}

// characters describes a BPE of characters. Its merges become scores.
func (g *GGML) characters(t *Tokenizer) error {
	g.Model, g.Pre = "llama", "default"
	if err := g.readSpaces(t); err != nil {
		return err
	}
	m := t.model.(*bpe)
	for b, id := range m.bytes {
		if id == noToken {
			return fmt.Errorf("model.vocab: %s is missing or byte_fallback is false; llama.cpp needs a token for every byte", byteToken(byte(b)))
		}
		g.Types[id] = ggmlByte
	}
	if m.unk != noToken {
		g.Types[m.unk] = ggmlUnknown
	}
	if token, differs := t.ignoresMerges(m); differs {
		return fmt.Errorf("model.ignore_merges: %q is a token that no merges make; llama.cpp makes all by merging", token)
	}
	return g.score(t)
}

// score gives tokens scores by which llama.cpp merges as the merges say. It merges any two tokens that make a third, so all
// such pairs must be merges, and those that make the same token follow each other.
func (g *GGML) score(t *Tokenizer) error {
	g.Scores = make([]float32, len(g.Tokens))
	merges := make(map[mergePair]bool, len(t.file.bpe.Merges))
	scored, last := map[int32]bool{}, noToken
	rank := 0
	for i, p := range t.file.bpe.Merges {
		merges[p] = true
		id := t.ids[p.left+p.right]
		if id == last {
			continue
		}
		if scored[id] {
			return fmt.Errorf("model.merges[%d]: %q is made here and before, with other merges between; llama.cpp has one rank for each token", i, p.left+p.right)
		}
		scored[id], last, g.Scores[id] = true, id, -float32(rank)
		rank++
	}
	for id, token := range g.Tokens {
		if g.Types[id] != ggmlNormal {
			continue
		}
		if len(token) > longestRanked {
			return fmt.Errorf("model.vocab: a token of %d bytes; the longest that is supported has %d", len(token), longestRanked)
		}
		if !scored[int32(id)] {
			g.Scores[id] = -float32(rank)
			rank++
		}
		for at := range token {
			left, right := token[:at], token[at:]
			if at > 0 && g.normal(t, left) && g.normal(t, right) && !merges[mergePair{left, right}] {
				return fmt.Errorf("model.merges: %q and %q are not merged, though together they are a token; llama.cpp merges them", left, right)
			}
		}
	}
	return nil
}

// normal says whether a text is a token that merging can make.
func (g *GGML) normal(t *Tokenizer, text string) bool {
	id, ok := t.ids[text]
	return ok && g.Types[id] == ggmlNormal
}

// readSpaces finds out how a BPE of characters writes spaces.
func (g *GGML) readSpaces(t *Tokenizer) error {
	ns := t.passes[1].normalize
	var m metaspace
	replaced := false
	for i, n := range ns {
		switch n := n.(type) {
		case prepend:
			g.SpacePrefix = true
			if i > 0 || n != underline {
				return fmt.Errorf("normalizer: Prepend of %q; llama.cpp puts one space before a text", string(n))
			}
		case replaceString:
			replaced = n.old == " " && n.new == underline && i == len(ns)-1
		}
	}
	switch {
	case len(ns) > 0 && (!replaced || len(ns) > 2 || len(ns) == 2 && !g.SpacePrefix || len(t.steps) > 0):
		return fmt.Errorf("normalizer: llama.cpp puts a space before a text and writes ▁ for spaces, and nothing else")
	case len(ns) > 0:
		return nil
	case len(t.steps) == 1:
		m, _ = t.steps[0].(metaspace)
	}
	if m.sign != underline || t.words.pattern == metaspaceWords {
		return fmt.Errorf("pre_tokenizer: llama.cpp writes ▁ for spaces, as Metaspace with split false does, and nothing else")
	}
	if g.SpacePrefix = m.scheme != prefixNever; g.SpacePrefix {
		g.Notes = append(g.Notes, "llama.cpp puts a space before a text that begins with one, and before what follows a special token")
	}
	return nil
}

// ignoresMerges says whether it matters that whole words become tokens without merging, and names a token that no merges make.
func (t *Tokenizer) ignoresMerges(m *bpe) (token string, differs bool) {
	if m.whole == nil {
		return "", false
	}
	return t.unmade(m)
}

// unmade returns a token of the vocabulary that no merges make, if there is one.
func (t *Tokenizer) unmade(m *bpe) (token string, found bool) {
	merging := *m
	merging.whole = nil
	added := map[int32]bool{}
	for _, a := range t.file.AddedTokens {
		added[a.ID] = true
	}
	e := t.acquire()
	defer t.release(e)
	var ids []int32
	for _, v := range t.file.bpe.Vocab {
		word := v.token
		if m.chars == nil {
			word = unspell(word)
		} else if _, isByte := byteOfToken(word); isByte || v.id == m.unk {
			continue
		}
		if added[v.id] {
			continue
		}
		if ids = merging.append(e, ids[:0], word); len(ids) != 1 || ids[0] != v.id {
			return v.token, true
		}
	}
	return "", false
}
