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

func (b *builder) transitive(n needs) *clause { return b.withObject(transitives, n) }

func (b *builder) indirect(n needs) *clause { return b.withObject(indirects, n) }

func (b *builder) withObject(list []*verb, n needs) *clause {
	v := b.verbOf(list, n)
	if v == nil {
		return nil
	}
	c := b.begin(v, n)
	c.object = b.object(c, n)
	if c.object.relative == nil {
		b.adjuncts(c, n, 5)
	}
	return c
}

// liking has a general object: all cats, all cheese.
func (b *builder) liking(n needs) *clause {
	v := b.verbOf(likings, n)
	if v == nil {
		return nil
	}
	c := b.begin(v, n)
	c.object = &phrase{noun: b.nounOf(v.objects)}
	if !c.object.noun.mass {
		c.object.number = plural
	}
	b.describe(c.object)
	return c
}

func (b *builder) giving(n needs) *clause {
	v := b.verbOf(givings, n)
	if v == nil {
		return nil
	}
	c := b.begin(v, n)
	r := objectRole
	if c.polarity != affirmative || c.subject.pronoun == nobody {
		r = negatedRole
	}
	c.object = b.nounPhrase(b.nounOf(v.objects), r)
	switch b.weigh(45, 25, 30) {
	case 0:
		c.recipient = b.objectPronoun(c.subject, n)
	case 1:
		c.recipient = b.otherName(c.subject)
	default:
		c.recipient = b.nounPhrase(b.nounOf(person), obliqueRole)
	}
	b.adjuncts(c, n, 0)
	return c
}

func (b *builder) motion(n needs) *clause {
	v := b.verbOf(motions, n)
	if v == nil {
		return nil
	}
	c := b.begin(v, n)
	if b.chance(38) {
		c.object = b.placeName()
	} else {
		c.object = b.nounPhrase(b.nounOf(goal), obliqueRole)
	}
	b.adjuncts(c, n, 0)
	return c
}

func (b *builder) intransitive(n needs) *clause { return b.plainVerb(intransitives, n) }

func (b *builder) reflexive(n needs) *clause { return b.plainVerb(reflexives, n) }

func (b *builder) sensation(n needs) *clause { return b.plainVerb(sensations, n) }

func (b *builder) plainVerb(list []*verb, n needs) *clause {
	v := b.verbOf(list, n)
	if v == nil {
		return nil
	}
	c := b.begin(v, n)
	place := 40
	if v.etre || v.stative {
		place = 0
	}
	b.adjuncts(c, n, place)
	return c
}

// ofCopula begins a clause with "to be" and a subject of a class.
func (b *builder) ofCopula(n needs) *clause {
	if !b.fits(copula, n) {
		return nil
	}
	return b.begin(copula, n)
}

const described = ware | text | food | building | room | place

// quality says how somebody or something is.
func (b *builder) quality(n needs) *clause {
	if n.subject == nil && b.chance(40) {
		n.class = described
	}
	c := b.ofCopula(n)
	if c == nil || !b.giveAdjective(c, n, false) {
		return nil
	}
	if !c.adjective.gradable() {
		return c
	}
	switch b.weigh(60, 25, 15) {
	case 1:
		c.degree = very
	case 2:
		c.degree = too
	}
	return c
}

// giveAdjective draws a predicate that goes with the subject and, for a comparison, has degrees.
func (b *builder) giveAdjective(c *clause, n needs, compared bool) bool {
	class := n.class
	if c.subject.noun != nil {
		if c.subject.noun.built {
			return false
		}
		class = c.subject.noun.class
	}
	for range 10 {
		a := b.adjectiveFor(class)
		if a == nil || compared && !a.gradable() {
			continue
		}
		if len(c.subject.adjectives) == 0 || c.subject.adjectives[0].rank != a.rank && c.subject.adjectives[0].french != a.french {
			c.adjective = a
			return true
		}
	}
	return false
}

func (b *builder) comparison(n needs) *clause {
	things := n.subject == nil && b.chance(40)
	if things {
		n.class = described
	}
	c := b.ofCopula(n)
	if c == nil || !b.giveAdjective(c, n, true) {
		return nil
	}
	if c.polarity == noLonger {
		c.polarity = affirmative // "plus" twice is ugly
	}
	c.degree = degree(b.number(int(more), int(equally)))
	if c.adjective.better != "" && c.degree != more {
		return nil
	}
	switch {
	case c.subject.noun != nil:
		// Like with like: of the same broad kind as the subject, and said plainly.
		noun := b.nounOf(c.subject.noun.class & (person | animal | described))
		for range 5 {
			if noun != c.subject.noun && !noun.built && noun.class&c.adjective.class != 0 {
				break
			}
			noun = b.nounOf(c.subject.noun.class & (person | animal | described))
		}
		if noun == c.subject.noun || noun.built {
			return nil
		}
		c.than = &phrase{noun: noun, determiner: the}
		if !noun.unowned && b.chance(50) {
			c.than.determiner, c.than.owner = possessive, b.personalPronoun(true)
		}
		if b.chance(25) && !noun.mass {
			c.than.number = plural
		}
	case b.chance(45):
		c.than = b.objectPronoun(c.subject, n)
	default:
		c.than = b.otherName(c.subject)
	}
	return c
}

// occupation has no article in French: "Paul est boulanger".
func (b *builder) occupation(n needs) *clause {
	if n.class&person == 0 {
		return nil
	}
	c := b.ofCopula(n)
	if c == nil || c.subject.pronoun == nobody {
		return nil
	}
	ft := c.subject.features()
	if ft.number == plural || c.subject.noun != nil && c.subject.noun.class&trade != 0 || c.polarity == never {
		return nil
	}
	for c.object == nil || c.object.noun.gender != ft.gender {
		c.object = &phrase{noun: b.nounOf(trade), determiner: noArticle}
	}
	if c.polarity == affirmative && b.chance(40) {
		if a := b.adjectiveFor(person | trade); a.position != predicate && a.class&(person|trade) != 0 {
			c.object.determiner, c.object.adjectives = indefinite, []*adjective{a}
		}
	}
	return c
}

func (b *builder) play(n needs) *clause {
	v := b.verbOf([]*verb{musicMaking, gaming}, n)
	if v == nil {
		return nil
	}
	c := b.begin(v, n)
	c.object = &phrase{noun: b.nounOf(v.objects)}
	if v == musicMaking {
		c.object.determiner = the
	} else if !c.object.noun.mass {
		c.object.number = plural
	}
	b.adjuncts(c, n, 12)
	return c
}

func (b *builder) miss(n needs) *clause {
	if n.gap != noGap || n.question || n.class&person == 0 || !b.fits(missing, n) {
		return nil
	}
	c := b.begin(missing, n)
	if c.subject.pronoun == nobody {
		return nil
	}
	c.polarity = affirmative
	switch b.weigh(40, 30, 30) {
	case 0:
		c.object = b.objectPronoun(c.subject, n)
	case 1:
		c.object = b.otherName(c.subject)
	default:
		c.object = b.nounPhrase(b.nounOf(person|animal|building), obliqueRole)
	}
	return c
}

var impersonalSubject = &phrase{pronoun: impersonal}

// alone begins a clause whose subject is "it" or "there".
func (b *builder) alone(v *verb, n needs) *clause {
	if n.subject != nil || n.gap != noGap || !b.fits(v, n) {
		return nil
	}
	n.subject = impersonalSubject
	c := b.begin(v, n)
	c.modal = noModal
	return c
}

func (b *builder) thereIs(n needs) *clause {
	c := b.alone(existential, n)
	if c == nil {
		return nil
	}
	r, what, where := objectRole, portable|animal, b.thingPlace
	if c.polarity != affirmative {
		r = negatedRole
	}
	if b.chance(40) {
		what, where = person|animal|vehicle, b.place
	}
	c.object = b.nounPhrase(b.nounOf(what), r)
	switch c.object.determiner {
	case indefinite, negated, numeral, lots, tooMany:
	default:
		c.object.determiner, c.object.owner, c.object.superlative = indefinite, nil, false
		if r == negatedRole {
			c.object.determiner = negated
		}
	}
	c.where = where()
	return c
}

func (b *builder) age(n needs) *clause {
	if n.class&person == 0 || !b.fits(aging, n) {
		return nil
	}
	c := b.begin(aging, n)
	if c.subject.pronoun == nobody {
		return nil
	}
	if c.polarity != not {
		c.polarity = affirmative
	}
	c.object = b.measure(years, b.number(1, 99))
	return c
}

func (b *builder) measure(unit *noun, count int) *phrase {
	p := &phrase{noun: unit, determiner: numeral, count: count, number: plural}
	if count == 1 {
		p.number = singular
	}
	return p
}

func (b *builder) price(n needs) *clause {
	if n.subject != nil || n.tenses&(tenses(present, future)) == 0 {
		return nil
	}
	n.class = costing.subjects
	if !b.fits(costing, n) || n.tenses&stativeTense&^tenses(past) == 0 {
		return nil
	}
	c := b.begin(costing, n)
	if c.polarity != not {
		c.polarity = affirmative
	}
	count := b.number(2, 99)
	switch b.weigh(30, 35, 35) {
	case 1:
		count = b.number(100, 999)
	case 2:
		count = b.number(1000, maxNumber)
	}
	c.object = b.measure(euros, count)
	return c
}

func (b *builder) weatherReport(n needs) *clause {
	if b.chance(34) {
		c := b.alone(measuring, n)
		if c == nil {
			return nil
		}
		c.polarity = affirmative
		c.object = b.measure(degrees, b.number(0, 40))
		b.adjuncts(c, n, 20)
		return c
	}
	c := b.alone(pick(b, weather), n)
	if c == nil {
		return nil
	}
	b.adjuncts(c, n, 20)
	return c
}

func (b *builder) clock(n needs) *clause {
	c := b.alone(copula, n)
	if c == nil || c.tense == future || c.tense == whenFuture {
		return nil
	}
	if c.polarity != not {
		c.polarity = affirmative
	}
	c.hour, c.minute = b.number(1, 12), 5*b.r.IntN(12)
	return c
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
