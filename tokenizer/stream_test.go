package tokenizer

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// streamed decodes ids one by one and checks that no character is split.
func streamed(t *testing.T, tok *Tokenizer, ids []int32, skipSpecial bool) string {
	t.Helper()
	s := tok.Stream(skipSpecial)
	var b strings.Builder
	for i, id := range ids {
		text := s.Next(id)
		if !utf8.ValidString(text) {
			t.Errorf("after %d of the ids %v: %q is not whole", i+1, ids, text)
		}
		b.WriteString(text)
	}
	return b.String() + s.End()
}
