package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

func TestRegexesMeanWhatTheyMeanInTheReference(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          []string
	}{
		{`[^(\s|[.,!?])]+`, "one (two), 3|4!", []string{"one", "two", "3", "4"}}, // BLOOM's
		{`[a[bc]d]+`, "xabcdx[a]", []string{"abcd", "a"}},
		{`[\[\]]`, "a[b]", []string{"[", "]"}},
		{`\p{Lu}\p{Ll}*(?=\d)`, "Ab1 Cd E2", []string{"Ab", "E"}},
		{`\s+(?!\S)`, "a\u3000 b", []string{"\u3000"}},
		{`(?i:ſa)`, "sa SA", []string{"sa", "SA"}},
		{`é|中`, "ée中", []string{"é", "中"}},
	} {
		re, err := newRegex(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		var got []string
		for _, m := range re.matches(c.text) {
			got = append(got, c.text[m[0]:m[1]])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s finds %q in %q, want %q", c.pattern, got, c.text, c.want)
		}
	}
}

func TestRegexesThatWouldMeanSomethingElseAreRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		`[a[^b]]`:      "[^",
		`[[:alpha:]]`:  "[:",
		`[a-z&&[aei]]`: "&&",
		`\h+`:          `\h`,
		`[]a]`:         "begins with ]",
		`(`:            "(",
		`(?<n`:         "regular expression",
	} {
		if _, err := newRegex(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one about %s", pattern, err, want)
		}
	}
}
