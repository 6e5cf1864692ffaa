package sandbox

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
