package sandbox

import "math/rand/v2"

// A builder draws meanings. All its choices come from one generator, in one order.
type builder struct{ r *rand.Rand }

func (b *builder) chance(percent int) bool { return b.r.IntN(100) < percent }

func (b *builder) number(low, high int) int { return low + b.r.IntN(high-low+1) }

// pick draws one of a list.
func pick[T any](b *builder, list []T) T { return list[b.r.IntN(len(list))] }

// weigh draws an index with probability in proportion to its weight.
func (b *builder) weigh(weights ...int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	n := b.r.IntN(total)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	panic("sandbox: weights are negative")
}

// nounOf draws a noun of a class; now and then a built one where the class allows things.
func (b *builder) nounOf(c class) *noun {
	if c&thing != 0 && b.chance(9) {
		return b.tool()
	}
	for {
		if n := pick(b, nouns); n.class&c != 0 {
			return n
		}
	}
}

// tool builds a noun from two pieces: "bread-cutter", "coupe-pain".
func (b *builder) tool() *noun {
	object, action := pick(b, toolObjects), pick(b, toolActions)
	french := action.french + "-" + object.french
	return &noun{
		english: object.english + "-" + action.english, french: french, frenchPlural: french,
		gender: masculine, class: thing, built: true,
	}
}

// placeName builds a place name from two pieces: "Wolfbridge", "Pontloup".
func (b *builder) placeName() *phrase {
	modifier, head := pick(b, placeModifiers), pick(b, placeHeads)
	return &phrase{name: modifier.english + head.english, place: head.french + modifier.french}
}

// personName draws a first name, or a title with a surname.
func (b *builder) personName() *phrase {
	if b.chance(14) {
		p := &phrase{title: "Mr", name: pick(b, surnameStarts) + pick(b, surnameEnds)}
		if b.chance(50) {
			p.title, p.gender = "Mrs", feminine
		}
		return p
	}
	n := pick(b, firstNames)
	return &phrase{name: n.text, gender: n.gender}
}

// names draws a name, or two first names.
func (b *builder) names() *phrase {
	p := b.personName()
	if p.title == "" && b.chance(14) {
		other := pick(b, firstNames)
		for other.text == p.name {
			other = pick(b, firstNames)
		}
		p.and = &phrase{name: other.text, gender: other.gender}
	}
	return p
}

// personalPronouns draws I, you, he, she, we or they; without the third person where that could be misread.
func (b *builder) personalPronoun(thirdToo bool) *phrase {
	strangers := 0
	if thirdToo {
		strangers = 3
	}
	switch b.weigh(5, 5, 5, strangers, strangers, strangers) {
	case 0:
		return &phrase{pronoun: first}
	case 1:
		return &phrase{pronoun: second}
	case 2:
		return &phrase{pronoun: first, number: plural}
	case 3:
		return &phrase{pronoun: third}
	case 4:
		return &phrase{pronoun: third, gender: feminine}
	default:
		return &phrase{pronoun: third, number: plural}
	}
}

// A role is where a phrase stands, which decides which determiners are natural.
type role uint8

const (
	subjectRole role = iota
	objectRole
	negatedRole // object of a negated verb
	obliqueRole // after a preposition
)

// determinerWeights is indexed by role, then by the list of determiners in determinerChoices.
var (
	determinerChoices = []determiner{the, indefinite, this, possessive, genitive, numeral, lots, tooMany, all, every}
	determinerWeights = [...][]int{
		subjectRole: {34, 6, 13, 24, 7, 6, 0, 0, 4, 4},
		objectRole:  {22, 28, 9, 14, 7, 8, 5, 4, 3, 0},
		negatedRole: {28, 36, 12, 18, 6, 0, 0, 0, 0, 0},
		obliqueRole: {40, 8, 14, 26, 8, 0, 0, 0, 0, 0},
	}
)

// nounPhrase draws a phrase around a noun.
func (b *builder) nounPhrase(n *noun, r role) *phrase {
	p := &phrase{noun: n}
	p.determiner = determinerChoices[b.weigh(determinerWeights[r]...)]
	owned := p.determiner == possessive || p.determiner == genitive
	if n.mass && (p.determiner == numeral || p.determiner == every) || n.unowned && owned {
		p.determiner = the
	}
	if !n.mass && b.chance(32) {
		p.number = plural
	}
	switch p.determiner {
	case indefinite:
		if r == negatedRole {
			p.determiner = negated
		}
	case possessive:
		p.owner = b.personalPronoun(true)
	case genitive:
		p.owner = b.owner(n)
	case numeral:
		p.count, p.number = b.count(n), plural
		if p.count == 1 {
			p.number = singular
		}
	case lots, tooMany, all:
		if !n.mass {
			p.number = plural
		}
	case every:
		p.number = singular
	}
	b.describe(p)
	return p
}

// owner draws who owns something: a name, or persons with a plain determiner.
func (b *builder) owner(of *noun) *phrase {
	if b.chance(50) {
		return b.personName()
	}
	p := &phrase{noun: b.nounOf(person), determiner: the}
	for p.noun == of {
		p.noun = b.nounOf(person)
	}
	if !p.noun.unowned && b.chance(50) {
		p.determiner, p.owner = possessive, b.personalPronoun(true)
	}
	if b.chance(25) {
		p.number = plural
	}
	return p
}

// count draws a number of things, mostly small, of persons and animals more so.
func (b *builder) count(of *noun) int {
	if of.class&animate != 0 {
		return b.number(1, 20)
	}
	switch b.weigh(60, 32, 8) {
	case 0:
		return b.number(1, 12)
	case 1:
		return b.number(13, 99)
	default:
		return b.number(100, 999)
	}
}

// describe adds no, one or two adjectives, or a superlative.
func (b *builder) describe(p *phrase) {
	if p.noun.built || !b.chance(32) {
		return
	}
	a := b.adjectiveFor(p.noun.class)
	if a == nil || a.position == predicate {
		return
	}
	p.adjectives = []*adjective{a}
	if p.determiner == the && a.gradable() && b.chance(40) {
		p.superlative = true
		return
	}
	if a.rank == 9 || !b.chance(24) {
		return
	}
	other := b.adjectiveFor(p.noun.class)
	if other == nil || other.position == predicate || other.rank == 9 || other.rank == a.rank {
		return
	}
	if other.rank < a.rank {
		p.adjectives = []*adjective{other, a}
	} else {
		p.adjectives = []*adjective{a, other}
	}
}

// adjectiveFor draws an adjective that goes with a class, or nil if luck finds none.
func (b *builder) adjectiveFor(c class) *adjective {
	for range 40 {
		if a := pick(b, adjectives); a.class&c != 0 {
			return a
		}
	}
	return nil
}

var spots = []struct {
	preposition preposition
	class       class
}{
	{preposition{"in", "dans"}, inside},
	{preposition{"near", "près de"}, building | place},
	{preposition{"behind", "derrière"}, building},
	{preposition{"in front of", "devant"}, building},
	{preposition{"next to", "à côté de"}, building | place},
}

var thingSpots = []struct {
	preposition preposition
	class       class
}{
	{preposition{"on", "sur"}, surface},
	{preposition{"under", "sous"}, surface},
	{preposition{"in", "dans"}, container},
	{preposition{"next to", "à côté de"}, surface | container | openable},
	{preposition{"near", "près de"}, surface | openable},
}

// place draws where people do something.
func (b *builder) place() *placeAdjunct {
	if b.chance(30) {
		return &placeAdjunct{preposition{"in", "à"}, b.placeName()}
	}
	spot := pick(b, spots)
	return &placeAdjunct{spot.preposition, b.nounPhrase(b.nounOf(spot.class), obliqueRole)}
}

// thingPlace draws where a thing is.
func (b *builder) thingPlace() *placeAdjunct {
	spot := pick(b, thingSpots)
	for {
		if n := b.nounOf(spot.class); !n.built {
			return &placeAdjunct{spot.preposition, b.nounPhrase(n, obliqueRole)}
		}
	}
}
