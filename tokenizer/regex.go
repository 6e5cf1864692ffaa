package tokenizer

import (
	"errors"
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
	flat, err := flattenClasses(pattern)
	if err != nil {
		return regex{}, fmt.Errorf("the regular expression %q: %w", pattern, err)
	}
	re, err := regexp2.Compile(flat, regexp2.OptionMaxBacktrackingStackSize(backtracking))
	if err != nil {
		return regex{}, fmt.Errorf("the regular expression %q: %w", pattern, err)
	}
	return regex{re}, nil
}

// flattenClasses puts the characters of classes inside classes, [a[bc]], into the outer
// ones, [abc], which is how the reference's engine (Oniguruma) understands them; the one
// used here would take the bracket for a character. What else of Oniguruma would be
// understood differently is an error.
func flattenClasses(pattern string) (string, error) {
	var b strings.Builder
	for depth, i := 0, 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			if rest[1] == 'h' || rest[1] == 'H' || rest[1] == 'R' || rest[1] == 'X' {
				return "", fmt.Errorf("%s is not supported", rest[:2])
			}
			b.WriteString(rest[:2])
			i++
			continue
		case rest[0] == '[' && depth == 0:
			depth++
			if first := strings.TrimPrefix(rest[1:], "^"); strings.HasPrefix(first, "]") { // a ] that ends nothing
				return "", errors.New("a class that begins with ] is not supported")
			}
		case rest[0] == '[' && (strings.HasPrefix(rest, "[^") || strings.HasPrefix(rest, "[:")), depth > 0 && strings.HasPrefix(rest, "&&"):
			return "", fmt.Errorf("%s inside a class is not supported", rest[:2])
		case rest[0] == '[':
			depth++
			continue
		case rest[0] == ']' && depth > 0:
			if depth--; depth > 0 {
				continue
			}
		}
		b.WriteByte(rest[0])
	}
	return b.String(), nil
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
