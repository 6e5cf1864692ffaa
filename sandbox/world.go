// Package sandbox is a small generated world, made so that every stage of training can run, and be scored exactly, with
// nothing to download. It has two parts.
//
// The first, [Village], is what assistants are trained on: short stories of people, places and things whose state is
// tracked exactly, questions about them with answers that a [Question] can check, dialogues, and a [Judge] whose taste is
// known. Combinations of words are held out, so that a right answer about them shows understanding and not memory.
//
// The second, [World], is English sentences with their French translations. It contains, in
// small, what makes translation hard: agreement in gender and number, the order of adjectives, elision and
// contraction, partitives, pronouns before the verb, tenses and the agreement of participles, negation, questions,
// numbers in words, comparison, subordinate and relative clauses, verbs that swap subject and object, rare words
// built from known pieces, and names to be copied. French is a function of English here: every English sentence has
// one translation, so that the accuracy of a translator is exact.
//
// What English leaves open is fixed: "you" is "tu"; speakers and unknown persons are masculine ("I am happy" is "je
// suis heureux"); "it" and "they" in a second clause mean the subject, or in "buys an apple and eats it" the object,
// of the first.
//
// The package knows nothing of models, tokens or training. Start from [Village] for stories, questions and dialogues, and
// from [World] for a stream of pairs or [Split] for the sets of an experiment.
package sandbox

import (
	"iter"
	"math/rand/v2"
)

// A Pair is an English sentence with its only French translation.
type Pair struct {
	English, French string
	Tags            []string // the phenomena in it, such as "negation" or "passé composé with être"

	combinations []string // of words, by which Split holds some out
}

// A World is an endless stream of sentences, the same for the same seed on every platform. Sentences may repeat. It
// is not safe for concurrent use.
type World struct{ builder builder }

// NewWorld returns the world of a seed.
func NewWorld(seed uint64) *World {
	return &World{builder{rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}}
}

// Next draws the meaning of the next sentence.
func (w *World) Next() *Sentence { return w.builder.sentence() }

// Pairs draws the next n pairs.
func (w *World) Pairs(n int) []Pair {
	pairs := make([]Pair, 0, max(n, 0))
	for len(pairs) < n {
		pairs = append(pairs, w.Next().Pair())
	}
	return pairs
}

// All draws pairs without end.
func (w *World) All() iter.Seq[Pair] {
	return func(yield func(Pair) bool) {
		for yield(w.Next().Pair()) {
		}
	}
}

// Pair says the sentence in both languages.
func (s *Sentence) Pair() Pair {
	f := s.inFrench()
	return Pair{English: s.English(), French: f.text(), Tags: f.tags, combinations: f.combinations}
}

// sentence draws a whole sentence.
func (b *builder) sentence() *Sentence {
	s := &Sentence{}
	switch b.weigh(57, 16, 5, 7, 5, 5, 5) {
	case 0:
		s.main = b.clause(needs{tenses: anyTense})
	case 1:
		b.question(s)
	case 2:
		b.reported(s)
	case 3:
		b.joined(s)
	case 4:
		b.because(s)
	case 5:
		b.timed(s)
	case 6:
		b.passedOn(s)
	}
	s.contracted = b.chance(60)
	if s.mood != statement && s.main.polarity == not {
		s.contracted = s.mood != askSubject // "Doesn't Paul sleep?", but "Who does not sleep?"
	}
	return s
}

// question draws a question of any mood.
func (b *builder) question(s *Sentence) {
	n := needs{tenses: anyTense &^ tenses(usedTo), question: true, small: true, class: person}
	s.mood = mood(b.weigh(0, 34, 28, 14, 8, 8, 8))
	switch s.mood {
	case yesNo:
		n.class = 0
		s.main = b.clause(n)
	case askObject:
		s.main = b.objectQuestion(n)
	case askSubject:
		n.subject = &phrase{pronoun: who}
		if b.chance(50) {
			s.main = b.plainVerb(intransitives, n)
		} else {
			s.main = b.transitive(n)
		}
	case askWhere:
		s.main = b.plainVerb(intransitives[:activities], n)
	case askWhen:
		n.tenses, n.positive = tenses(past, future), true
		s.main = b.clause(n)
		for s.main.object != nil && s.main.object.determiner == numeral || s.main.verb.stative {
			s.main = b.clause(n)
		}
	case askWhy:
		s.main = b.clause(n)
	}
}

// objectQuestion asks whom, what, which or how many.
func (b *builder) objectQuestion(n needs) *clause {
	v := b.verbOf(transitives, n)
	c := b.begin(v, n)
	c.gap = objectGap
	switch b.weigh(40, 30, 30) {
	case 0:
		c.object = &phrase{pronoun: what}
		if v.objects&person != 0 {
			c.object.pronoun = who
		}
		return c
	case 1:
		c.object = &phrase{noun: b.nounOf(v.objects), determiner: which}
		if b.chance(40) && !c.object.noun.mass {
			c.object.number = plural
		}
	case 2:
		c.object = &phrase{noun: b.nounOf(v.objects), determiner: howMany}
		if !c.object.noun.mass {
			c.object.number = plural
		}
	}
	b.describe(c.object)
	return c
}

// reported draws "Paul says that …".
func (b *builder) reported(s *Sentence) {
	v := pick(b, sayings)
	n := needs{tenses: tenses(present), class: person, small: true, question: true}
	after := needs{tenses: tenses(present, continuous, past, perfect, future), second: true, small: true}
	switch {
	case v.english == "hope":
		after.tenses = tenses(future)
	case b.chance(40):
		n.tenses, after.tenses = tenses(past), tenses(pastContinuous)
	}
	s.main = b.begin(v, n)
	s.main.polarity, s.main.modal = affirmative, noModal
	s.link = that
	s.second = b.follow(s.main, after)
}

// joined draws two clauses with "and" or "but".
func (b *builder) joined(s *Sentence) {
	n := needs{tenses: b.period(), small: true}
	s.main = b.clause(n)
	s.link = and
	if b.chance(50) {
		s.link = but
	}
	n.second = true
	s.second = b.follow(s.main, n)
}

// period draws tenses that go together.
func (b *builder) period() tenseSet {
	switch b.weigh(45, 35, 20) {
	case 0:
		return nowTense
	case 1:
		return beforeTense
	default:
		return tenses(future)
	}
}

func (b *builder) because(s *Sentence) {
	n := needs{tenses: b.period(), small: true}
	s.main = b.clause(n)
	s.link = because
	n.second = true
	if n.tenses == tenses(future) {
		n.tenses = nowTense
	}
	s.second = b.follow(s.main, n)
}

// timed draws clauses with "when" and "if". After "when" the future is a present in English and a future in French.
func (b *builder) timed(s *Sentence) {
	n := needs{tenses: tenses(present), small: true}
	after := needs{tenses: tenses(present), second: true, small: true}
	s.link = when
	after.positive = true // "when he did not arrive" is odd
	switch b.weigh(25, 30, 15, 30) {
	case 1:
		n.tenses, after.tenses = tenses(future), tenses(whenFuture)
	case 2:
		n.tenses, after.tenses, after.active = tenses(pastContinuous), tenses(past), true
		n.active = true
	case 3:
		s.link, after.positive = ifLink, false
		n.tenses = tenses(future)
	}
	s.linkFirst = b.chance(50)
	if s.linkFirst {
		// The clause said first is the one that a pronoun may refer to.
		after.second, n.second = false, true
		s.second = b.clause(after)
		s.main = b.follow(s.second, n)
		return
	}
	s.main = b.clause(n)
	s.second = b.follow(s.main, after)
}

// follow draws a clause after another one, often about the same subject, which is then a pronoun.
func (b *builder) follow(before *clause, n needs) *clause {
	subject := before.subject
	if !b.chance(45) || subject.pronoun == nobody || subject.pronoun == impersonal {
		return b.unlike(before, n)
	}
	again := &phrase{pronoun: subject.pronoun, gender: subject.features().gender, number: subject.features().number}
	n.class = person
	if subject.pronoun == noPronoun {
		again.pronoun = third
		if subject.noun != nil {
			n.class = subject.noun.class
			if n.class&person == 0 {
				again.pronoun = thingPronoun
			}
			if n.class&animate == 0 || subject.noun.built {
				n.subject = again
				if c := b.quality(n); c != nil {
					return c
				}
				n.subject, n.class = nil, 0
				return b.unlike(before, n)
			}
		}
	}
	n.subject = again
	return b.unlike(before, n)
}

// unlike draws a clause with another verb than the one before.
func (b *builder) unlike(before *clause, n needs) *clause {
	for {
		if c := b.clause(n); c.verb.english != before.verb.english || c.verb == copula {
			return c
		}
	}
}

// passedOn draws "Paul buys an apple and eats it".
func (b *builder) passedOn(s *Sentence) {
	n := needs{tenses: anyTense &^ tenses(usedTo), active: true, class: person, small: true, question: true}
	for {
		v := b.verbOf(transitives, n)
		object := b.nounOf(v.objects)
		if object.class&animate != 0 {
			continue
		}
		n.class = person
		second := b.verbOf(transitives, n)
		if second == v || second.objects&object.class == 0 {
			continue
		}
		s.main = b.begin(v, n)
		s.main.polarity, s.main.modal = affirmative, noModal
		s.main.object = b.nounPhrase(object, objectRole)
		s.link = and
		s.second = &clause{
			subject: s.main.subject, verb: second, tense: s.main.tense, gap: subjectGap,
			object: &phrase{pronoun: thingPronoun, gender: object.gender, number: s.main.object.number},
		}
		return
	}
}
