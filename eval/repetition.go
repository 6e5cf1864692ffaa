package eval

import "strings"

// Repetition measures how much texts repeat themselves: the share of n-grams of words that occurred before in the same text,
// as the seq-rep-n of Welleck et al. (2020), "Neural Text Generation with Unlikelihood Training".
type Repetition struct {
	N             int // words of an n-gram
	repeated, all int
}

// Add counts the n-grams of a text, whose words are what white space separates.
func (r *Repetition) Add(text string) {
	words := strings.Fields(text)
	seen := make(map[string]bool, len(words))
	for i := 0; i+r.N <= len(words); i++ {
		gram := strings.Join(words[i:i+r.N], " ")
		if r.all++; seen[gram] {
			r.repeated++
		}
		seen[gram] = true
	}
}

// Share is the share of n-grams that are repeated; 0 where no text is long enough to have any.
func (r Repetition) Share() float64 { return float64(r.repeated) / float64(max(r.all, 1)) }
