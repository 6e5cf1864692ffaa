package score

import "fmt"

// Windows cuts documents into requests, as the recipe of Hugging Face for the perplexity of models of fixed length does: the
// model sees Size tokens at a time, from a place that moves on by Stride, and in each window those tokens are scored that were
// in none before. The smaller the stride, the more each of them sees before it.
//
// Every token of a document but the first is scored once. Where windows do not overlap, they begin one token earlier than in
// the recipe, which leaves the first token of each unscored: the model reads Size tokens all the same.
//
// Memory does not grow with the document. The zero value with Size and Stride set is ready.
type Windows struct {
	Size   int // tokens that the model sees, at least 2
	Stride int // from 1 to Size

	tokens []int32 // of the document, as far as they are still needed
	before int     // how many came before these
	begin  int     // where the next window begins in the document
	scored int     // so many of the document's tokens are scored, the first counted too
	ended  bool
}

// Check reports a size or stride that cannot be.
func (w *Windows) Check() error {
	if w.Size < 2 || w.Stride < 1 || w.Stride > w.Size {
		return fmt.Errorf("a window of %d tokens that moves on by %d; it must have at least 2, and move on by 1 to as many as it has", w.Size, w.Stride)
	}
	return nil
}

// Add appends tokens to the present document; end says that it ends with them. Take every request that Next has before more
// is added.
func (w *Windows) Add(ids []int32, end bool) {
	if w.ended {
		w.tokens, w.before, w.begin, w.scored, w.ended = w.tokens[:0], 0, 0, 0, false
	}
	w.tokens = append(w.tokens, ids...)
	w.ended = end
}

// Next fills r with the next request, which has one continuation, and reports whether there was one. Without one, more must
// be added.
func (w *Windows) Next(r *Request) bool {
	have := w.before + len(w.tokens)
	end := w.begin + w.Size
	if end > have {
		if !w.ended || w.scored >= have || have < 2 {
			return false
		}
		end = have
	}
	from := w.begin
	if w.scored == w.begin && from > 0 {
		from--
	}
	first := max(w.scored, from+1)
	at := func(position int) int { return position - w.before }
	r.Context = append(r.Context[:0], w.tokens[at(from):at(first)]...)
	if len(r.Continuations) != 1 {
		r.Continuations = make([]Continuation, 1)
	}
	c := &r.Continuations[0]
	c.Tokens = append(c.Tokens[:0], w.tokens[at(first):at(end)]...)
	c.Scored = len(c.Tokens)
	w.scored, w.begin = end, w.begin+w.Stride
	if drop := min(at(max(0, w.begin-1)), len(w.tokens)); drop > len(w.tokens)/2 {
		w.tokens, w.before = w.tokens[:copy(w.tokens, w.tokens[drop:])], w.before+drop
	}
	return true
}
