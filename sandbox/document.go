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

// askedAndAnswered is a question and its answer, now and then with what polite or slow people say around it, and with what
// somebody else takes to be the answer.
func (b *builder) askedAndAnswered(a ask, value string) (said []string) {
	now := func(percent int, sentences []string) {
		if b.chance(percent) {
			said = append(said, pick(b, sentences))
		}
	}
	now(5, greetings)
	said = append(said, a.text())
	now(4, thanks)
	if b.chance(guessed) {
		guess, right := b.guess(a, value)
		if said = append(said, guess...); right {
			return append(said, isRight)
		}
		if value != "" {
			said = append(said, isWrong)
		}
	}
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

// What the teller says about what others take to be the answer. Where the story does not say, that is what they are told.
const (
	guessed = 15 // percent of the questions

	saying  = " says:"
	isRight = "That is right."
	isWrong = "That is wrong."
)

// guess is what a villager takes to be the answer, who is right about every other time, and whether it is right.
func (b *builder) guess(a ask, value string) (said []string, right bool) {
	who := pick(b, villagers).text + saying
	guess := value
	if b.chance(50) {
		if others := guesses(a, value); len(others) > 0 {
			guess = pick(b, others)
		}
	}
	if guess == "" || value != "" && b.chance(10) {
		return []string{who, pick(b, admissions)}, value == ""
	}
	return []string{who, pick(b, a.forms(guess))}, guess == value
}

// guesses are what else could be an answer. None holds a fact that is held out.
func guesses(a ask, value string) []string {
	return slices.DeleteFunc(a.values(), func(other string) bool { return other == value || unseen(a.fact(other)) })
}

// nextAsk draws a question of a kind that there is, mostly one that the state answers. Counting is the hardest to learn, and
// comes up less often by itself. What the state leaves open is mostly who of two is taller or older: there are many pairs.
func (b *builder) nextAsk(asks []ask, s *state) (ask, bool) {
	known := b.chance(80)
	if !known && !slices.ContainsFunc(asks, func(a ask) bool { return !a.known(s) }) {
		known = true
	}
	kinds := shuffled(b, []Kind{Where, Who, Count, Count, Compare})
	if !known && b.chance(50) {
		kinds[0] = Compare
	}
	for _, kind := range kinds {
		at := slices.IndexFunc(asks, func(a ask) bool { return a.kind == kind && a.known(s) == known })
		if at >= 0 {
			return asks[at], true
		}
	}
	return ask{}, false
}
