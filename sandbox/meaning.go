package sandbox

// A tense is named after its English form; the French tense follows from it (see clause.frenchTense).
type tense uint8

const (
	present        tense = iota // eats: mange
	continuous                  // is eating: mange
	past                        // ate: a mangé; of a stative verb, knew: connaissait
	perfect                     // has eaten: a mangé
	pastContinuous              // was eating: mangeait
	usedTo                      // used to eat: mangeait
	future                      // will eat: mangera
	whenFuture                  // when he eats, with a future in the main clause: mangera
)

// A modal governs an infinitive. It stands in the present.
type modal uint8

const (
	noModal modal = iota
	can
	must
	wantTo
	goingTo
)

type polarity uint8

const (
	affirmative polarity = iota
	not
	never
	noLonger
)

type adverb struct{ english, french string }

// pronoun stands for a whole phrase. he, she, it and they have the gender of the phrase that holds them.
type pronoun uint8

const (
	noPronoun    pronoun = iota
	first                // I, we
	second               // you, always "tu"
	third                // he, she, they
	thingPronoun         // it, always the subject or object of the clause before
	impersonal           // it of the weather and the clock
	nobody
	nothing
	who
	what
)

type determiner uint8

const (
	bare determiner = iota // no article in English, the definite one in French: "cats", "les chats"
	the
	indefinite // a, some: un, du, des
	negated    // a, any after a negation: de
	this
	possessive // of phrase.owner, a pronoun
	genitive   // of phrase.owner, a noun or name: "the king's", "Paul's"
	numeral
	lots    // a lot of
	tooMany // too many, too much
	all
	every
	which
	howMany
	noArticle // an occupation: "a baker", "boulanger"
)

// A phrase is a noun phrase: a pronoun, a name, or a noun with what belongs to it.
type phrase struct {
	pronoun pronoun
	gender  gender // of a pronoun
	number  number // of a pronoun or noun

	name, title string // a person's name, with "Mr" or "Mrs", or a built place name in English
	place       string // that place name in French

	determiner  determiner
	count       int     // numeral
	owner       *phrase // possessive, genitive
	noun        *noun
	adjectives  []*adjective // in English order
	superlative bool         // "the biggest", of the only adjective
	relative    *clause      // with a gap where the phrase belongs

	and *phrase // coordinated with this one
}

func (p *phrase) features() features {
	if p.and != nil {
		a, b := p.alone().features(), p.and.features()
		return features{3, min(a.gender, b.gender), plural} // masculine unless both are feminine
	}
	switch {
	case p.pronoun == first:
		return features{1, p.gender, p.number}
	case p.pronoun == second:
		return features{2, p.gender, p.number}
	case p.pronoun != noPronoun:
		return features{3, p.gender, p.number}
	case p.noun != nil:
		return features{3, p.noun.gender, p.number}
	default:
		return features{3, p.gender, singular}
	}
}

// alone is the phrase without what is coordinated with it.
func (p *phrase) alone() *phrase {
	q := *p
	q.and = nil
	return &q
}

// isObjectPronoun reports whether the phrase, as an object, is a pronoun before the French verb.
func (p *phrase) isObjectPronoun() bool {
	return p != nil && p.pronoun >= first && p.pronoun <= thingPronoun
}

// A degree is how much of an adjective there is.
type degree uint8

const (
	plain degree = iota
	very
	too
	more
	less
	equally
)

// A preposition stands before a place.
type preposition struct{ english, french string }

type placeAdjunct struct {
	preposition preposition
	phrase      *phrase
}

// A timeAdjunct is said as it stands, or is a time of the day.
type timeAdjunct struct {
	english, french string
	front           bool // at the head of the sentence
}

// A gap is the argument that a clause does not say because it stands before it, in a question or a relative clause.
type gap uint8

const (
	noGap gap = iota
	subjectGap
	objectGap
)

// A clause is a verb with what belongs to it. A zero part is absent.
type clause struct {
	subject   *phrase
	verb      *verb
	tense     tense
	modal     modal
	polarity  polarity
	adverb    *adverb // often, always
	object    *phrase // with the verb's preposition, if it has one
	recipient *phrase

	adjective *adjective // predicate of the copula
	degree    degree
	than      *phrase

	hour, minute int // of the clock, for the verb "be"; hour 0 is absent

	where *placeAdjunct
	when  *timeAdjunct
	gap   gap
}

// A mood is what a sentence asks, if anything.
type mood uint8

const (
	statement mood = iota
	yesNo
	askObject // whom, what, which, how many: the object stands first
	askSubject
	askWhere
	askWhen
	askWhy
)

// A link joins a second clause to the first.
type link uint8

const (
	noLink link = iota
	and
	but
	because
	when
	ifLink
	that
)

// A Sentence is a meaning that can be said in English and in French.
type Sentence struct {
	mood       mood
	main       *clause
	link       link
	second     *clause
	linkFirst  bool // the second clause stands first: "When Paul arrives, …"
	contracted bool // "doesn't" rather than "does not"
}
