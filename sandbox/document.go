package sandbox

import (
	"slices"
	"strings"
)

// Document returns the text at an index to pre-train on. Most are a story whose teller asks how things are and says it, at the end or
// after every other sentence too; one in seven is exercises in translation. Nobody else asks anything, and there are no dialogues.
func (v Village) Document(i int) string {
	b := v.builder(documentStream, i)
	for {
		events := b.story()
		if v.Part != Unseen && anyUnseen(stateAfter(events).facts) {
			continue
		}
		if b.chance(14) {
			return exercises(events)
		}
		return v.told(b, events)
	}
}

// exercises says each event in both languages.
func exercises(events []event) string {
	lines := make([]string, len(events))
	for i, e := range events {
		a := ask{kind: Translate, sentence: e}
		lines[i] = a.text() + " " + a.value(nil)
	}
	return strings.Join(lines, " ")
}

// told is a story with questions that its teller asks and answers: six to ten at the end, and in every other story some
// on the way, about how things are at that moment.
func (v Village) told(b *builder, events []event) string {
	var said []string
	onTheWay := b.chance(50)
	for i, e := range events {
		said = append(said, e.english())
		switch {
		case i == len(events)-1:
			said = append(said, v.retold(b, events, b.number(6, 10))...)
		case onTheWay && b.chance(60):
			said = append(said, v.retold(b, events[:i+1], b.number(1, 2))...)
		}
	}
	return strings.Join(said, " ")
}

// retold asks and answers at most n things about the state after the events, each once.
func (v Village) retold(b *builder, events []event, n int) (said []string) {
	s := stateAfter(events)
	asks := v.asks(b, events, s)
	b.r.Shuffle(len(asks), func(i, j int) { asks[i], asks[j] = asks[j], asks[i] })
	for range n {
		a, ok := b.nextAsk(asks, s)
		if !ok {
			break
		}
		asks = slices.DeleteFunc(asks, func(other ask) bool { return other == a })
		said = append(said, b.askedAndAnswered(a, a.value(s))...)
	}
	return said
}

// askedAndAnswered is a question and its answer, now and then with what polite or slow people say around it.
func (b *builder) askedAndAnswered(a ask, value string) (said []string) {
	now := func(percent int, sentences []string) {
		if b.chance(percent) {
			said = append(said, pick(b, sentences))
		}
	}
	now(5, greetings)
	said = append(said, a.text())
	now(4, thanks)
	now(5, fillers)
	if value == "" {
		now(5, regrets)
		return append(said, pick(b, admissions))
	}
	now(5, openings)
	said = append(said, pick(b, a.forms(value)))
	now(4, closings)
	return said
}

// nextAsk draws a question of a kind that there is, mostly one that the state answers. Counting is the hardest to learn, and
// comes up less often by itself.
func (b *builder) nextAsk(asks []ask, s *state) (ask, bool) {
	known := b.chance(85)
	for _, kind := range shuffled(b, []Kind{Where, Who, Count, Count, Compare}) {
		at := slices.IndexFunc(asks, func(a ask) bool { return a.kind == kind && (a.value(s) != "") == known })
		if at >= 0 {
			return asks[at], true
		}
	}
	return ask{}, false
}
