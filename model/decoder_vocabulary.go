package model

import "fmt"

// vocabularyTables are the parameters that have a row for each token.
var vocabularyTables = map[string]bool{"transformer.wte.weight": true, "model.embed_tokens.weight": true, "lm_head.weight": true}

// WithVocabulary returns a copy of the model for a vocabulary of n tokens, of which it knows the first known ones, n being at
// least as many as it has rows for. The rows of new tokens begin as the mean of those that it knows, so that it takes them for
// as likely as tokens are on average, and what it says of the others hardly changes (Hewitt 2021).
func (m *Decoder) WithVocabulary(known, n int) (*Decoder, error) {
	c := m.Config
	if known < 1 || known > c.VocabSize || n < c.VocabSize {
		panic(fmt.Sprintf("model: %d tokens are known of %d, and there are to be %d", known, c.VocabSize, n))
	}
	if c.PadID != nil && *c.PadID < 0 { // which counts from the end
		pad := m.padID
		c.PadID = &pad
	}
	c.VocabSize = n
	more, err := NewDecoder(c)
	if err != nil {
		return nil, err
	}
	own := m.Params()
	for i, p := range more.Params() {
		copy(p.Data, own[i].Data)
		if vocabularyTables[p.Name] {
			meanRows(p.Data, known, p.Shape[1])
		}
	}
	return more, nil
}

// meanRows sets the rows of a matrix from row known on to the mean of those before.
func meanRows(data []float32, known, cols int) {
	sum := make([]float64, cols)
	for i, x := range data[:known*cols] {
		sum[i%cols] += float64(x)
	}
	for i := known * cols; i < len(data); i++ {
		data[i] = float32(sum[i%cols] / float64(known))
	}
}
