package inspect

// Report is everything that was seen of one sentence. All lists of tokens are in reading order; layers and heads count
// from 1.
type Report struct {
	Text        string `json:"text"`        // the sentence, spaces around it removed
	Translation string `json:"translation"` // what the decoder was followed through
	Forced      bool   `json:"forced"`      // the translation was given, not the model's own

	LogProb float64 `json:"log_prob"` // natural logarithm of the translation's probability, its end included

	Source []Token `json:"source"` // what the encoder reads, the end of the sentence included
	Inputs []Token `json:"inputs"` // what the decoder reads: its start token, then Target without the end
	Target []Token `json:"target"` // what the decoder should write after each of Inputs

	Steps     []Step `json:"steps"`     // Steps[i] is the decoder's view of what follows Inputs[i]
	Attention []Head `json:"attention"` // encoder, decoder and cross, layer by layer, head by head
}

// Token is one token of the vocabulary.
type Token struct {
	ID      int32  `json:"id"`
	Token   string `json:"token"`   // as tokenizer.json spells it: "Ġthe"
	Text    string `json:"text"`    // the text that it stands for; a part of a character shows as U+FFFD
	Special bool   `json:"special"` // stands for no text: an end of a sentence, padding

	Neighbours []Neighbour `json:"neighbours,omitempty"` // most similar first; the token itself is left out
}

// Neighbour is a token with a similar embedding, of the same side as the token whose neighbour it is.
type Neighbour struct {
	ID     int32   `json:"id"`
	Token  string  `json:"token"`
	Text   string  `json:"text"`
	Cosine float64 `json:"cosine"` // of the angle between the two embeddings
}

// Step is the decoder's distribution over the next token, the softmax of its logits.
type Step struct {
	ID   int32       `json:"id"`   // of the token that the translation has here
	Prob float64     `json:"prob"` // its probability
	Rank int         `json:"rank"` // its place among all tokens, from 1
	Top  []Candidate `json:"top"`  // the most probable tokens, first first
}

// Candidate is a token that may come next.
type Candidate struct {
	ID    int32   `json:"id"`
	Token string  `json:"token"`
	Text  string  `json:"text"`
	Prob  float64 `json:"prob"`
}

// Kind names one of the three attentions of an encoder–decoder.
type Kind string

// The attentions: rows of weights belong to Source and look at Source; belong to Inputs and look at Inputs, none later
// than itself; belong to Inputs and look at Source. A decoder-only model has the second alone, among its Tokens.
const (
	Encoder Kind = "encoder"
	Decoder Kind = "decoder"
	Cross   Kind = "cross"
)

// Head is what one attention head does with the sentence.
type Head struct {
	Kind    Kind        `json:"kind"`
	Layer   int         `json:"layer"`
	Head    int         `json:"head"`
	Looks   Looks       `json:"looks"`
	Weights [][]float32 `json:"weights"` // [queries][keys]; each row sums to 1
}

// Looks says in a word where a head looks.
type Looks struct {
	At    string  `json:"at"`    // "itself", "previous", "next", "first", "end", "one" (a single token, here this and there that) or "spread"
	Share float64 `json:"share"` // of the weight that goes there, on average over the rows; of "spread": the largest weight of a row
}

// Select returns the heads of a kind, in a layer (0: all), with a number (0: all).
func (r *Report) Select(kind Kind, layer, head int) []Head {
	return selected(r.Attention, kind, layer, head)
}

func selected(heads []Head, kind Kind, layer, head int) []Head {
	var found []Head
	for _, h := range heads {
		if h.Kind == kind && (layer == 0 || h.Layer == layer) && (head == 0 || h.Head == head) {
			found = append(found, h)
		}
	}
	return found
}

// Mean returns the average of the heads' weights, [queries][keys]. There must be at least one head.
func Mean(heads []Head) [][]float32 {
	mean := make([][]float32, len(heads[0].Weights))
	for i := range mean {
		mean[i] = make([]float32, len(heads[0].Weights[i]))
		for _, h := range heads {
			for j, w := range h.Weights[i] {
				mean[i][j] += w / float32(len(heads))
			}
		}
	}
	return mean
}

// labels returns the tokens that the rows and the columns of a kind's weights belong to. A row of cross-attention is
// labelled with the token that it helps to write.
func (r *Report) labels(k Kind) (rows, columns []Token) {
	switch k {
	case Encoder:
		return r.Source, r.Source
	case Decoder:
		return r.Inputs, r.Inputs
	}
	return r.Target, r.Source
}
