package sandbox

import (
	"slices"
	"strings"
)

// Document returns the text at an index to pre-train on: most are a story with some sentences about how things are at its
// end, one in seven is sentences with their translations. There are no questions.
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
		return tell(events) + " " + b.ending(s)
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

// ending says two to four things that are true in a state.
func (b *builder) ending(s *state) string {
	truths := s.truths()
	b.r.Shuffle(len(truths), func(i, j int) { truths[i], truths[j] = truths[j], truths[i] })
	var said []string
	for _, e := range truths[:min(len(truths), b.number(2, 4))] {
		said = append(said, b.conclude(e))
	}
	return strings.Join(said, " ")
}

// conclude says that something is true at the end of a story. Where there are two ways they differ in what comes first, and so
// in what a reader has to look up.
func (b *builder) conclude(e event) string {
	switch {
	case e.kind == has && b.chance(60):
		return "Now the " + e.thing.english + " is " + e.who.text + "'s."
	case e.kind == exceeds && b.chance(60):
		one, two := e.who.text, e.other.text
		if b.chance(50) {
			one, two = two, one
		}
		return "Of " + one + " and " + two + ", " + e.who.text + " is " + e.adjective.comparative + "."
	case e.kind == exceeds:
		return "So " + e.english()
	case e.kind == lies:
		return "Now " + strings.Replace(e.english(), "The", "the", 1)
	default:
		return "Now " + e.english()
	}
}

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
