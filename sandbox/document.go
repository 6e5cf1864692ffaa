package sandbox

import (
	"slices"
	"strings"
)

// Document returns the text at an index to pre-train on. Most are a story whose teller, at the end, asks how things are and says it; one in
// seven is sentences with their translations. Nobody else asks anything, and there are no dialogues.
func (v Village) Document(i int) string {
	b := v.builder(documentStream, i)
	for {
		events := b.story()
		s := stateAfter(events)
		if v.Part != Unseen && anyUnseen(s.facts) {
			continue
		}
		if b.chance(14) {
			return bilingual(events)
		}
		return tell(events) + " " + b.ending(events, s)
	}
}

// bilingual says each event in both languages.
func bilingual(events []event) string {
	var text strings.Builder
	for _, e := range events {
		text.WriteString("English: " + e.english() + " French: " + e.french() + "\n")
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// ending says four to six things about a state, most of them as questions that the teller answers, each once.
func (b *builder) ending(events []event, s *state) string {
	asks := b.asks(events, s)
	b.r.Shuffle(len(asks), func(i, j int) { asks[i], asks[j] = asks[j], asks[i] })
	var said []string
	for range b.number(4, 6) {
		kind, known := pick(b, []Kind{Where, Where, Who, Count, Compare}), b.chance(80)
		at := slices.IndexFunc(asks, func(a ask) bool { return a.kind == kind && (a.value(s) != "") == known })
		if at < 0 {
			continue
		}
		a := asks[at]
		asks = slices.Delete(asks, at, at+1)
		value := a.value(s)
		switch forms := a.forms(value); {
		case value == "":
			said = append(said, a.text()+" Nobody knows.")
		case b.chance(15):
			said = append(said, "Now "+midSentence(forms[len(forms)-1]))
		default:
			said = append(said, a.text()+" "+pick(b, forms))
		}
	}
	return strings.Join(said, " ")
}

// midSentence is a sentence as it stands within another: only names keep their capital.
func midSentence(sentence string) string { return strings.Replace(sentence, "The ", "the ", 1) }
