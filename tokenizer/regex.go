package tokenizer

import (
	"fmt"
	"strings"

	"github.com/dlclark/regexp2/v2"
)

// regex is a pattern of tokenizer.json that Parley has no code of its own for. It is
// matched by backtracking: some patterns take very long on some texts.
type regex struct{ *regexp2.Regexp }

// backtracking bounds the memory of a match, in numbers. What would need more is taken
// for no match.
const backtracking = 1 << 22

func newRegex(pattern string) (regex, error) {
	re, err := regexp2.Compile(pattern, regexp2.OptionMaxBacktrackingStackSize(backtracking))
	if err != nil {
		return regex{}, fmt.Errorf("the regular expression %q: %w", pattern, err)
	}
	return regex{re}, nil
}

// matches returns where the pattern's matches in text begin and end.
func (r regex) matches(text string) [][]int {
	found, err := r.FindAllStringIndex(text, -1)
	if err != nil {
		return nil
	}
	return found
}

// replaceRegex puts a string in the place of every match.
type replaceRegex struct {
	regex
	content string
}

func (r replaceRegex) normalize(text string) string {
	var b strings.Builder
	end := 0
	for _, m := range r.matches(text) {
		b.WriteString(text[end:m[0]])
		b.WriteString(r.content)
		end = m[1]
	}
	b.WriteString(text[end:])
	return b.String()
}
