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

// ending says four to six things about a state, most of them as questions that the teller answers.
func (b *builder) ending(events []event, s *state) string {
	truths := s.truths()
	b.r.Shuffle(len(truths), func(i, j int) { truths[i], truths[j] = truths[j], truths[i] })
	asks := b.asks(events, s)
	var said []string
	for range b.number(4, 6) {
		kind, known := pick(b, []Kind{Where, Where, Who, Count, Compare}), b.chance(80)
		var list []ask
		for _, a := range asks {
			if a.kind == kind && (a.value(s) != "") == known {
				list = append(list, a)
			}
		}
		if len(list) == 0 || b.chance(20) {
			said = append(said, "Now "+midSentence(truths[0].english()))
			truths = append(truths[1:], truths[0])
			continue
		}
		a := pick(b, list)
		answer := "Nobody knows."
		if value := a.value(s); value != "" {
			answer = pick(b, a.forms(value))
		}
		said = append(said, a.text()+" "+answer)
	}
	return strings.Join(said, " ")
}

// midSentence is a sentence as it stands within another: only names keep their capital.
func midSentence(sentence string) string { return strings.Replace(sentence, "The ", "the ", 1) }

// truths lists everything that is known in a state, in a fixed order.
func (s *state) truths() []event {
	var list []event
	for who, place := range s.at {
		list = append(list, event{kind: isAt, who: who, place: place})
	}
	for _, thing := range things {
		if place := s.placeOf(thing); place != nil {
			list = append(list, event{kind: lies, thing: thing, place: place})
		}
		if holder := s.holder[thing]; holder != nil {
			list = append(list, event{kind: has, who: holder, thing: thing})
		}
	}
	for of, n := range s.owned {
		list = append(list, event{kind: owns, who: of.who, thing: of.food, count: n})
	}
	for o := range s.above {
		list = append(list, event{kind: exceeds, who: o.upper, other: o.lower, adjective: o.adjective})
	}
	slices.SortFunc(list, func(a, b event) int { return strings.Compare(a.english(), b.english()) })
	return list
}
