package decode

import (
	"slices"

	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// generation is a request being answered: its prompt is read in pieces, then its answers are written, or searched for.
type generation struct {
	request *Request
	prompt  *nn.Sequence // while it is being read
	read    int          // tokens of the prompt that are in the cache

	answers []answer
	search  search
	last    []int32 // the last token of every beam
	written []int32 // of a beam, with a token that may follow
	allowed []int32 // tokens after it that lead to a choice
	step    span    // rows of its logits in the present step
}

// answer is one of the continuations of a prompt.
type answer struct {
	sequence *nn.Sequence // nil once it has ended
	ids      []int32      // the prompt, and what was written
}

// span is rows [from, to) of a matrix.
type span struct{ from, to int }

// begin starts on a request, of whose prompt the first tokens are in the cache already.
func (g *generation) begin(r *Request, prompt *nn.Sequence) {
	g.request, g.prompt, g.read = r, prompt, prompt.Len()
	for len(g.answers) < cap(g.answers) && len(g.answers) < r.Answers { // with the memory of earlier ones
		g.answers = g.answers[:len(g.answers)+1]
	}
	for len(g.answers) < r.Answers {
		g.answers = append(g.answers, answer{})
	}
	g.answers = g.answers[:r.Answers]
	for i := range g.answers {
		g.answers[i].sequence, g.answers[i].ids = nil, append(g.answers[i].ids[:0], r.Prompt...)
	}
}

// rows is how many sequences it takes to answer the request.
func (r *Request) rows() int { return max(r.Answers, r.Beams) }

// reading reports whether the prompt is not read to its end.
func (g *generation) reading() bool { return g.prompt != nil }

// piece returns the next tokens of the prompt, at most so many. What follows is asked for with the last of them.
func (g *generation) piece(most int) model.Piece {
	p := model.Piece{Sequence: g.prompt, Tokens: g.request.Prompt[g.read:]}
	if len(p.Tokens) > most {
		p.Tokens = p.Tokens[:most]
	}
	if g.read += len(p.Tokens); g.read == len(g.request.Prompt) {
		p.Logits = 1
	}
	return p
}

// fork gives every answer, or the first beam, the prompt once it is read.
func (g *generation) fork(cache *nn.Cache) {
	r, prompt := g.request, g.prompt
	g.prompt = nil
	if r.Beams > 1 {
		g.search.reset(0, nil, prompt, r.Prompt[len(r.Prompt)-1], r.MaxTokens+1)
		return
	}
	for i := range g.answers {
		if g.answers[i].sequence = prompt; i > 0 {
			g.answers[i].sequence = cache.Fork(prompt)
		}
	}
}

// append appends the last token of every sequence that is being written.
func (g *generation) append(pieces []model.Piece) []model.Piece {
	if g.request.Beams > 1 {
		g.last = grow(g.last, len(g.search.beams))
		for i, b := range g.search.beams {
			g.last[i] = b.token
			pieces = append(pieces, model.Piece{Sequence: b.target, Tokens: g.last[i : i+1], Logits: 1})
		}
		return pieces
	}
	for _, a := range g.answers {
		if a.sequence != nil {
			pieces = append(pieces, model.Piece{Sequence: a.sequence, Tokens: a.ids[len(a.ids)-1:], Logits: 1})
		}
	}
	return pieces
}

// drop gives up what the generation holds in the cache.
func (g *generation) drop(cache *nn.Cache) {
	if g.prompt != nil {
		cache.Drop(g.prompt)
		g.prompt = nil
	}
	for i := range g.answers {
		if a := &g.answers[i]; a.sequence != nil {
			cache.Drop(a.sequence)
			a.sequence = nil
		}
	}
	for _, b := range g.search.beams {
		cache.Drop(b.target)
	}
	g.search.beams = g.search.beams[:0]
}

// ended reports whether nothing is left to do.
func (g *generation) ended() bool {
	if g.reading() || len(g.search.beams) > 0 {
		return false
	}
	return !slices.ContainsFunc(g.answers, func(a answer) bool { return a.sequence != nil })
}

// take appends a chosen token to an answer, tells whoever asked, and says whether the answer goes on.
func (g *generation) take(i int, t Token) bool {
	r, a := g.request, &g.answers[i]
	a.ids = append(a.ids, t.ID)
	written := a.ids[len(r.Prompt):]
	switch {
	case slices.Contains(r.Ends, t.ID):
		t.End = EndOfText
	case len(r.Choices) > 0 && g.complete(written):
		t.End = Chosen
	case len(written) == r.MaxTokens:
		t.End = Length
	}
	return r.Emit(i, t) && t.End == NotEnded
}

// complete reports whether what was written is a choice that no other goes on from.
func (g *generation) complete(written []int32) bool {
	g.allowed = g.request.allowed(g.allowed[:0], written)
	return len(g.allowed) == 0
}

// choose marks the continuations of a search with which a choice is complete.
func (g *generation) choose(candidates []candidate) {
	for i := range candidates {
		c := &candidates[i]
		g.written = append(g.search.written(g.written[:0], c.beam), c.token)
		c.chosen = g.complete(g.written)
	}
}

// hypotheses tells the best answers that the search has found.
func (g *generation) hypotheses() {
	r, s := g.request, &g.search
	if len(s.finished) < r.Answers {
		r.Fail(s.shortage(r.Answers))
		return
	}
	for i, f := range s.finished[:r.Answers] {
		g.last = g.last[:0]
		for l := f.link; l >= 0; l = s.history[l].before {
			g.last = append(g.last, s.history[l].token)
		}
		end := Length
		switch {
		case f.end >= 0:
			g.last, end = slices.Insert(g.last, 0, f.end), EndOfText
		case f.chosen:
			end = Chosen
		}
		for j := len(g.last) - 1; j >= 0; j-- {
			t := Token{ID: g.last[j]}
			if j == 0 {
				t.End, t.Score = end, f.score
			}
			if !r.Emit(i, t) {
				break
			}
		}
	}
}
