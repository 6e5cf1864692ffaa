package inspect

import (
	"context"
	"math"
	"strconv"
	"strings"

	"github.com/parley-lm/parley/tokenizer"
)

func tokens(t *tokenizer.Tokenizer, ids []int32) []Token {
	list := make([]Token, len(ids))
	for i, id := range ids {
		list[i] = tokenOf(t, id)
	}
	return list
}

// tokenOf describes an id. The model may know more ids than the tokenizer; those are named by their number. Its text is that
// within a text: at the beginning, some tokenizers leave out a space.
func tokenOf(t *tokenizer.Tokenizer, id int32) Token {
	spelled, ok := t.Token(id)
	if !ok {
		name := "<" + strconv.Itoa(int(id)) + ">"
		return Token{ID: id, Token: name, Text: name, Special: true}
	}
	text := t.Decode([]int32{id}, false)
	if within, ok := strings.CutPrefix(t.Decode([]int32{id, id}, false), text); ok {
		text = within
	}
	text = strings.ToValidUTF8(text, "\ufffd")
	return Token{ID: id, Token: spelled, Text: text, Special: t.Special(id)}
}

// findNeighbours looks for the n nearest of so many tokens, by their embeddings, of every token of a list.
func findNeighbours(ctx context.Context, t *tokenizer.Tokenizer, list []Token, vocabulary int, embedding func(id int32) []float32, n int) error {
	if n == 0 {
		return nil
	}
	found := map[int32][]Neighbour{}
	lengths := make([]float64, vocabulary)
	for id := range lengths {
		v := embedding(int32(id))
		lengths[id] = math.Sqrt(dot(v, v))
	}
	for i := range list {
		token := &list[i]
		if _, known := found[token.ID]; !known {
			if err := ctx.Err(); err != nil {
				return err
			}
			found[token.ID] = neighbours(t, token.ID, embedding, lengths, n)
		}
		token.Neighbours = found[token.ID]
	}
	return nil
}

// neighbours returns the tokens whose embeddings make the smallest angle with that of id. lengths holds the norms of all.
// An embedding of zeros, such as that of <pad>, has no neighbours and is none.
func neighbours(t *tokenizer.Tokenizer, id int32, embedding func(id int32) []float32, lengths []float64, n int) []Neighbour {
	if lengths[id] == 0 {
		return nil
	}
	v := embedding(id)
	cosines := make([]float64, len(lengths))
	for other := range cosines {
		cosines[other] = math.Inf(-1)
		if other != int(id) && lengths[other] > 0 {
			cosines[other] = dot(v, embedding(int32(other))) / (lengths[id] * lengths[other])
		}
	}
	var list []Neighbour
	for _, other := range largest(n, len(cosines), func(i int) float64 { return cosines[i] }) {
		if c := cosines[other]; c >= -2 { // neither excluded nor not a number
			near := tokenOf(t, int32(other))
			list = append(list, Neighbour{ID: near.ID, Token: near.Token, Text: near.Text, Cosine: min(1, max(-1, c))})
		}
	}
	return list
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
