package sandbox

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
