package sandbox

import "slices"

// Of stories and questions as they come, nine in ten are answered rightly by who names the place, the person or the number said last, and
// a small model learns no more than that. What it is taught with is harder. It is not pre-trained on that, or it learns more slowly how
// people and things belong together at all: a curriculum (Bengio et al. 2009).

// hardPercent of the questions to teach are drawn from those that are not easy, if there are any.
const hardPercent = 50

// drawKindToTeach draws what to ask where somebody is to learn from the answer: more counts than by itself, which are hard, and fewer
// translations, which are not.
func (b *builder) drawKindToTeach() Kind { return Kinds[b.weigh(24, 20, 24, 16, 4, 12)] }

// firstToTeach draws a story to learn from and something of a kind to ask about it.
func (v Village) firstToTeach(b *builder, kind Kind) *Question {
	for {
		if q := v.questionToTeach(b, kind, b.storyToTeach(), nil); q != nil {
			return q
		}
	}
}

// questionToTeach draws something to ask about a story that was not asked, or returns nil if there is nothing of the kind: mostly what
// is not answered rightly by naming what was said last, and of what the story does not say each kind as often.
func (v Village) questionToTeach(b *builder, kind Kind, events []event, asked []ask) *Question {
	list := slices.DeleteFunc(v.questions(b, kind, events), func(q *Question) bool { return slices.Contains(asked, q.ask) })
	if b.chance(hardPercent) {
		if hard := slices.DeleteFunc(slices.Clone(list), (*Question).easy); len(hard) > 0 {
			list = hard
		}
	}
	if kind == Unsaid {
		list = b.ofOneKind(list)
	}
	return b.oneOf(list)
}

// ofOneKind draws a kind of what is asked and keeps those.
func (b *builder) ofOneKind(list []*Question) []*Question {
	for _, kind := range shuffled(b, []Kind{Where, Who, Count, Compare}) {
		of := slices.DeleteFunc(slices.Clone(list), func(q *Question) bool { return q.ask.kind != kind })
		if len(of) > 0 {
			return of
		}
	}
	return nil
}

// easy reports whether a question for a place, somebody or a number is answered rightly by what the story says last of places, people who
// have things, or numbers, whoever and whatever it is said of.
func (q *Question) easy() bool {
	for _, e := range slices.Backward(q.events) {
		switch {
		case q.ask.kind == Where && e.place != nil:
			return q.truth == e.place.english
		case q.ask.kind == Who && e.thing != nil && e.who != nil && e.count == 0:
			last := e.who
			if e.other != nil {
				last = e.other
			}
			return q.truth == last.text
		case q.ask.kind == Count && e.count > 0:
			return q.ask.who == e.who && e.other == nil
		}
	}
	return q.truth == "" && q.ask.kind != Compare
}
