package parley

import (
	"slices"
	"strings"

	"github.com/parley-lm/parley/tokenizer"
)

// answer is the text of one answer as it grows: it knows the prompt's end, never splits a character, and finds stop strings
// wherever tokens cut them.
type answer struct {
	stream  tokenizer.Stream
	stops   []string
	least   int    // tokens before which no stop string is looked for
	written int    // tokens
	held    string // the end of the text, which may be the beginning of a stop string
}

// next takes a token and returns the text that is certain with it, and whether a stop string is found, which ends the
// text before it.
func (a *answer) next(id int32, last bool) (text string, stopped bool) {
	a.written++
	a.held += a.stream.Next(id)
	if last {
		a.held += a.stream.End()
	}
	keep := 0
	if a.written > a.least {
		if at := a.stopAt(); at >= 0 {
			return a.held[:at], true
		}
		if !last {
			keep = a.begun()
		}
	}
	text, a.held = a.held[:len(a.held)-keep], a.held[len(a.held)-keep:]
	return text, false
}

// stopAt returns where the first stop string begins in what is held, −1 if there is none.
func (a *answer) stopAt() int {
	first := -1
	for _, s := range a.stops {
		if at := strings.Index(a.held, s); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// begun returns how many bytes at the end of what is held may be the beginning of a stop string.
func (a *answer) begun() int {
	most := 0
	for _, s := range a.stops {
		for n := min(len(s)-1, len(a.held)); n > most; n-- {
			if strings.HasSuffix(a.held, s[:n]) {
				most = n
			}
		}
	}
	return most
}

// choiceIDs returns the ids by which a model says text after a prompt: cut as in the prompt's company or else alone, whichever
// gives just this text; nil if neither does.
func choiceIDs(t *tokenizer.Tokenizer, prompt, text string, after tokenizer.Stream) []int32 {
	for _, before := range []string{prompt, "", "\n"} {
		start := t.Append(nil, before)
		ids := t.Append(nil, before+text)
		if len(ids) <= len(start) || !slices.Equal(ids[:len(start)], start) {
			continue
		}
		ids = ids[len(start):]
		said, stream := "", after
		for _, id := range ids {
			said += stream.Next(id)
		}
		if said+stream.End() == text {
			return ids
		}
	}
	return nil
}
