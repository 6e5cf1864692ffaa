package sandbox

// A tenseSet says which tenses a clause may take.
type tenseSet uint16

func tenses(list ...tense) tenseSet {
	var s tenseSet
	for _, t := range list {
		s |= 1 << t
	}
	return s
}

func (s tenseSet) has(t tense) bool { return s&(1<<t) != 0 }

var (
	anyTense     = tenses(present, continuous, past, perfect, pastContinuous, usedTo, future)
	stativeTense = tenses(present, past, future, whenFuture)
	nowTense     = tenses(present, continuous)
	beforeTense  = tenses(past, perfect, pastContinuous)
)

// tenseWeights is how often each tense is drawn where all are allowed.
var tenseWeights = [...]int{present: 28, continuous: 12, past: 22, perfect: 8, pastContinuous: 7, usedTo: 6, future: 15, whenFuture: 1}

// needs is what a clause must satisfy because of where it stands.
type needs struct {
	tenses   tenseSet
	active   bool    // no stative verb
	subject  *phrase // said already, or to be said as a pronoun
	class    class   // of the subject
	gap      gap
	second   bool // not the first clause of its sentence: pronouns of the third person would be misread
	question bool
	positive bool // not negated
	small    bool // without relative clauses and adjuncts
}

// verbOf draws a verb that fits, or nil.
func (b *builder) verbOf(list []*verb, n needs) *verb {
	for range 30 {
		v := pick(b, list)
		if v.subjects&n.class != 0 && b.fits(v, n) {
			return v
		}
	}
	return nil
}

func (b *builder) fits(v *verb, n needs) bool {
	if !v.stative {
		return true
	}
	return !n.active && n.tenses&stativeTense != 0
}

// begin draws the subject and the tense of a clause.
func (b *builder) begin(v *verb, n needs) *clause {
	c := &clause{verb: v, subject: n.subject, gap: n.gap}
	if c.subject == nil {
		c.subject = b.subject(v.subjects&n.class, n)
	}
	allowed := n.tenses
	if v.stative {
		allowed &= stativeTense
	}
	if v == costing {
		allowed &^= tenses(past) // "cost" is also the present
	}
	weights := tenseWeights
	for t := range weights {
		if !allowed.has(tense(t)) {
			weights[t] = 0
		}
	}
	c.tense = tense(b.weigh(weights[:]...))
	if c.tense == present && !v.stative && b.chance(24) && n.tenses.has(future) {
		c.modal = modal(b.number(int(can), int(goingTo)))
	}
	b.negate(c, n)
	return c
}

// negate draws the polarity, or an adverb of frequency.
func (b *builder) negate(c *clause, n needs) {
	if c.subject.pronoun == nobody || c.tense == usedTo || n.positive {
		return
	}
	if c.subject.determiner == all || c.subject.determiner == every {
		return
	}
	if n.question {
		if b.chance(10) && c.subject.pronoun != first {
			c.polarity = not
		}
		return
	}
	switch b.weigh(70, 17, 5, 4, 7) {
	case 1:
		c.polarity = not
	case 2:
		if c.tense != continuous && c.tense != pastContinuous && c.modal != goingTo && c.tense != whenFuture {
			c.polarity = never
		}
	case 3:
		if c.tense == present || c.tense == continuous || c.tense == future || c.tense == past && c.verb.stative {
			c.polarity = noLonger
		}
	case 4:
		if c.modal == noModal && (c.tense == present || c.tense == past || c.tense == future) && !c.verb.stative {
			c.adverb = pick(b, frequencies)
		}
	}
}

var frequencies = []*adverb{{"often", "souvent"}, {"always", "toujours"}}

// subject draws a subject of the classes.
func (b *builder) subject(c class, n needs) *phrase {
	if c&person != 0 {
		switch b.weigh(40, 26, 32, 2) {
		case 0:
			return b.personalPronoun(!n.second)
		case 1:
			return b.names()
		case 3:
			if !n.question {
				return &phrase{pronoun: nobody}
			}
		}
	}
	p := b.nounPhrase(b.nounOf(c), subjectRole)
	if !n.small && b.chance(22) {
		b.relate(p)
	}
	return p
}

// object draws the object of a verb, after it has been negated or not.
func (b *builder) object(c *clause, n needs) *phrase {
	v := c.verb
	if v.objects&person != 0 {
		switch b.weigh(30, 20, 50) {
		case 0:
			if p := b.objectPronoun(c.subject, n); v.preposition != "de" {
				return p
			}
		case 1:
			return b.otherName(c.subject)
		}
	}
	if v.preposition == "" && !v.stative && c.polarity == affirmative && c.adverb == nil && c.subject.pronoun != nobody &&
		c.modal == noModal && !n.question && b.chance(4) {
		if v.objects&person != 0 {
			return &phrase{pronoun: nobody}
		}
		return &phrase{pronoun: nothing}
	}
	r := objectRole
	if c.polarity != affirmative || c.subject.pronoun == nobody {
		r = negatedRole
	}
	if v.preposition != "" {
		r = obliqueRole
	}
	noun := b.nounOf(v.objects)
	for noun == c.subject.noun {
		noun = b.nounOf(v.objects)
	}
	p := b.nounPhrase(noun, r)
	if !n.small && b.chance(20) {
		b.relate(p)
	}
	return p
}

// objectPronoun draws a pronoun of another person than the subject.
func (b *builder) objectPronoun(subject *phrase, n needs) *phrase {
	for {
		p := b.personalPronoun(!n.second)
		if p.pronoun != subject.pronoun || p.pronoun == third {
			return p
		}
	}
}

func (b *builder) otherName(subject *phrase) *phrase {
	for {
		p := b.personName()
		if p.name != subject.name && (subject.and == nil || p.name != subject.and.name) {
			return p
		}
	}
}

// relate gives a phrase a relative clause, if its determiner can bear one.
func (b *builder) relate(p *phrase) {
	if p.determiner != the && p.determiner != indefinite && p.determiner != numeral || p.superlative {
		return
	}
	head := *p
	n := needs{tenses: anyTense &^ tenses(pastContinuous), small: true, second: true}
	if p.noun.class&animate != 0 && b.chance(60) {
		n.subject, n.class, n.gap = &head, p.noun.class, subjectGap
		if b.chance(60) {
			p.relative = b.transitive(n)
		} else {
			p.relative = b.plainVerb(intransitives, n)
		}
		return
	}
	n.class, n.question = person, true
	for range 60 {
		v := b.verbOf(transitives, n)
		if v != nil && v.objects&p.noun.class != 0 {
			c := b.begin(v, n)
			c.object, c.gap = &head, objectGap
			p.relative = c
			return
		}
	}
}

// clause draws a clause of any kind that satisfies the needs.
func (b *builder) clause(n needs) *clause {
	kinds := []func(needs) *clause{
		b.transitive, b.indirect, b.liking, b.giving, b.motion, b.intransitive, b.reflexive, b.quality,
		b.comparison, b.occupation, b.sensation, b.play, b.miss, b.thereIs, b.age, b.price, b.weatherReport, b.clock,
	}
	for {
		attempt := n
		if n.class == 0 {
			attempt.class = person
			if b.chance(15) {
				attempt.class = animal
			}
		}
		i := b.weigh(26, 6, 4, 7, 7, 8, 7, 8, 8, 3, 4, 3, 3, 4, 3, 3, 3, 2)
		if c := kinds[i](attempt); c != nil {
			return c
		}
	}
}

// moments are the adjuncts of time that go with each tense.
var moments = [whenFuture + 1][]timeAdjunct{
	present:        {{english: "every day", french: "tous les jours"}, {english: "in the morning", french: "le matin"}, {english: "on Sundays", french: "le dimanche"}, {english: "on Mondays", french: "le lundi"}},
	continuous:     {{english: "now", french: "maintenant"}, {english: "today", french: "aujourd'hui"}},
	past:           {{english: "yesterday", french: "hier"}, {english: "last week", french: "la semaine dernière"}, {english: "on Monday", french: "lundi"}, {english: "this morning", french: "ce matin"}},
	perfect:        {{english: "today", french: "aujourd'hui"}, {english: "this morning", french: "ce matin"}},
	pastContinuous: {{english: "yesterday", french: "hier"}, {english: "this morning", french: "ce matin"}},
	usedTo:         {{english: "every day", french: "tous les jours"}, {english: "on Sundays", french: "le dimanche"}, {english: "in the morning", french: "le matin"}},
	future:         {{english: "tomorrow", french: "demain"}, {english: "next week", french: "la semaine prochaine"}, {english: "on Monday", french: "lundi"}, {english: "this evening", french: "ce soir"}},
}

// adjuncts adds a place, with the given chance, and a time that goes with the tense.
func (b *builder) adjuncts(c *clause, n needs, place int) {
	if n.small {
		return
	}
	if b.chance(place) {
		c.where = b.place()
	}
	if c.polarity == never || c.polarity == noLonger || c.adverb != nil || c.subject.pronoun == nobody || !b.chance(20) {
		return
	}
	t := c.tense
	if c.modal != noModal {
		t = future
	}
	if c.verb.stative && t == present {
		t = continuous
	}
	if b.chance(15) && c.modal == noModal && (t == present || t == future || t == past) {
		hour, minute := b.number(1, 12), 15*b.r.IntN(3)
		c.when = &timeAdjunct{english: "at " + englishClock(hour, minute), french: "à " + frenchClock(hour, minute)}
		return
	}
	list := moments[t]
	if len(list) == 0 {
		return
	}
	when := pick(b, list)
	when.front = !n.question && !n.second && n.gap == noGap && b.chance(30)
	c.when = &when
}
