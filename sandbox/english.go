package sandbox

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// english says a sentence in English, word by word.
type english struct {
	words      []string
	contracted bool
}

// English is the sentence in English, with its capital and its full stop or question mark.
func (s *Sentence) English() string {
	e := &english{contracted: s.contracted}
	if s.linkFirst {
		e.say(englishLinks[s.link])
		e.clause(s.second, false)
		e.comma()
		e.clause(s.main, false)
	} else {
		e.say(englishQuestions[s.mood])
		inverted := s.mood != statement && s.mood != askSubject
		if s.mood == askObject {
			e.phrase(s.main.object, true)
		}
		e.clause(s.main, inverted)
		if s.second != nil {
			if s.link == but {
				e.comma()
			}
			e.say(englishLinks[s.link])
			e.clause(s.second, false)
		}
	}
	end := "."
	if s.mood != statement {
		end = "?"
	}
	return capitalise(strings.Join(e.words, " ")) + end
}

var englishLinks = [...]string{and: "and", but: "but", because: "because", when: "when", ifLink: "if", that: "that"}

var englishQuestions = [...]string{askWhere: "where", askWhen: "when", askWhy: "why"}

func (e *english) say(words ...string) {
	for _, w := range words {
		if w != "" {
			e.words = append(e.words, w)
		}
	}
}

func (e *english) comma() { e.words[len(e.words)-1] += "," }

// clause says a clause; inverted puts the auxiliary before the subject.
func (e *english) clause(c *clause, inverted bool) {
	if c.when != nil && c.when.front {
		e.say(c.when.english)
		e.comma()
	}
	subject := func() {
		if c.gap == subjectGap {
			return
		}
		if c.verb == existential {
			e.say("there")
		} else {
			e.phrase(c.subject, false)
		}
	}
	chain, negation := e.verbGroup(c, inverted)
	if inverted {
		e.say(chain[0])
		subject()
		e.say(negation)
	} else {
		subject()
		e.say(chain[0], negation)
	}
	e.say(chain[1:]...)
	e.say(c.verb.tail)

	if c.recipient.isObjectPronoun() {
		e.phrase(c.recipient, true)
	}
	if c.object != nil && c.gap != objectGap {
		e.phrase(c.object, true)
	}
	if c.recipient != nil && !c.recipient.isObjectPronoun() {
		e.say("to")
		e.phrase(c.recipient, true)
	}
	e.predicate(c)
	if c.where != nil {
		e.say(c.where.preposition.english)
		e.phrase(c.where.phrase, true)
	}
	if c.when != nil && !c.when.front {
		e.say(c.when.english)
	}
}

// verbGroup is the chain of verbs, the finite one first, and the word of negation that follows it if it is apart.
// Adverbs stand in the chain.
func (e *english) verbGroup(c *clause, inverted bool) (chain []string, negation string) {
	agreement := c.subject.features()
	if c.verb == existential {
		agreement = c.object.features()
	}
	chain, auxiliary := englishChain(c, agreement)
	if (c.polarity == not || inverted) && !auxiliary {
		do, base := "do", c.verb.english
		switch {
		case c.tense == past:
			do = "did"
		case agreement.person == 3 && agreement.number == singular:
			do = "does"
		}
		rest := chain[1:]
		if c.modal == wantTo {
			base = "want"
		}
		chain = append([]string{do, base}, rest...)
		auxiliary = true
	}
	if c.polarity == not {
		if short, ok := contractions[chain[0]]; ok && (e.contracted || chain[0] == "can") {
			chain[0] = short
		} else {
			negation = "not"
		}
	}
	var middle string
	switch {
	case c.polarity == never:
		middle = "never"
	case c.polarity == noLonger:
		middle = "no longer"
	case c.adverb != nil:
		middle = c.adverb.english
	}
	if middle != "" {
		at := 0
		if auxiliary {
			at = 1
		}
		chain = append(chain[:at:at], append([]string{middle}, chain[at:]...)...)
		if at == 0 {
			// The clause says the first word of the chain before any negation: there is none beside an adverb.
			return chain, ""
		}
	}
	return chain, negation
}

var contractions = map[string]string{
	"is": "isn't", "are": "aren't", "was": "wasn't", "were": "weren't", "do": "don't", "does": "doesn't", "did": "didn't",
	"has": "hasn't", "have": "haven't", "will": "won't", "can": "can't", "must": "mustn't",
}

// englishChain is the affirmative chain of verbs and whether it begins with an auxiliary.
func englishChain(c *clause, ft features) (chain []string, auxiliary bool) {
	v := c.verb
	isBe := v.english == "be"
	switch c.modal {
	case can:
		return []string{"can", v.english}, true
	case must:
		return []string{"must", v.english}, true
	case wantTo:
		if ft.person == 3 && ft.number == singular {
			return []string{"wants", "to", v.english}, false
		}
		return []string{"want", "to", v.english}, false
	case goingTo:
		return []string{bePresent(ft), "going to", v.english}, true
	}
	switch c.tense {
	case continuous:
		return []string{bePresent(ft), v.ingForm()}, true
	case past:
		if isBe {
			return []string{bePast(ft)}, true
		}
		return []string{v.pastForm()}, false
	case perfect:
		have := "have"
		if ft.person == 3 && ft.number == singular {
			have = "has"
		}
		return []string{have, v.participleForm()}, true
	case pastContinuous:
		return []string{bePast(ft), v.ingForm()}, true
	case usedTo:
		return []string{"used", "to", v.english}, false
	case future:
		return []string{"will", v.english}, true
	default:
		if isBe {
			return []string{bePresent(ft)}, true
		}
		return []string{v.presentForm(ft)}, false
	}
}

func bePresent(ft features) string {
	switch {
	case ft.number == plural || ft.person == 2:
		return "are"
	case ft.person == 1:
		return "am"
	default:
		return "is"
	}
}

func bePast(ft features) string {
	if ft.number == plural || ft.person == 2 {
		return "were"
	}
	return "was"
}

// predicate says what follows the copula: an adjective with its degree, or the time on the clock.
func (e *english) predicate(c *clause) {
	if c.hour > 0 {
		e.say(englishClock(c.hour, c.minute))
	}
	if c.adjective == nil {
		return
	}
	a := c.adjective
	switch c.degree {
	case plain:
		e.say(a.english)
	case very:
		e.say("very", a.english)
	case too:
		e.say("too", a.english)
	case more:
		if a.comparative != "" {
			e.say(a.comparative, "than")
		} else {
			e.say("more", a.english, "than")
		}
	case less:
		e.say("less", a.english, "than")
	case equally:
		e.say("as", a.english, "as")
	}
	if c.than != nil {
		e.phrase(c.than, true)
	}
}

// englishClock says a time in five-minute steps.
func englishClock(hour, minute int) string {
	to := englishUnits[hour%12+1]
	switch at := englishUnits[hour]; {
	case minute == 0:
		return at + " o'clock"
	case minute == 15:
		return "a quarter past " + at
	case minute == 30:
		return "half past " + at
	case minute == 45:
		return "a quarter to " + to
	case minute < 30:
		return englishNumber(minute) + " past " + at
	default:
		return englishNumber(60-minute) + " to " + to
	}
}

// phrase says a noun phrase as a subject or as an object.
func (e *english) phrase(p *phrase, object bool) {
	switch {
	case p.pronoun != noPronoun:
		e.say(englishPronoun(p, object))
	case p.noun == nil:
		e.say(p.title, p.name)
	default:
		e.nounPhrase(p)
	}
	if p.relative != nil {
		if p.relative.gap == subjectGap && (p.noun == nil || p.noun.class&person != 0) {
			e.say("who")
		} else {
			e.say("that")
		}
		e.clause(p.relative, false)
	}
	if p.and != nil {
		e.say("and")
		e.phrase(p.and, object)
	}
}

// englishPronoun is the pronoun as subject or object.
func englishPronoun(p *phrase, object bool) string {
	forms := [2]string{"they", "them"}
	switch {
	case p.pronoun == first && p.number == plural:
		forms = [2]string{"we", "us"}
	case p.pronoun == first:
		forms = [2]string{"I", "me"}
	case p.pronoun == second:
		forms = [2]string{"you", "you"}
	case p.pronoun == impersonal, p.pronoun == thingPronoun && p.number == singular:
		forms = [2]string{"it", "it"}
	case p.pronoun == nobody:
		forms = [2]string{"nobody", "nobody"}
	case p.pronoun == nothing:
		forms = [2]string{"nothing", "nothing"}
	case p.pronoun == who:
		forms = [2]string{"who", "who"}
	case p.pronoun == what:
		forms = [2]string{"what", "what"}
	case p.number == singular && p.gender == masculine:
		forms = [2]string{"he", "him"}
	case p.number == singular:
		forms = [2]string{"she", "her"}
	}
	if object {
		return forms[1]
	}
	return forms[0]
}

func englishPossessive(p *phrase) string {
	switch {
	case p.pronoun == first && p.number == plural:
		return "our"
	case p.pronoun == first:
		return "my"
	case p.pronoun == second:
		return "your"
	case p.number == plural:
		return "their"
	case p.gender == masculine:
		return "his"
	default:
		return "her"
	}
}

// nounPhrase says the determiner, the adjectives and the noun.
func (e *english) nounPhrase(p *phrase) {
	start := len(e.words)
	switch p.determiner {
	case the:
		e.say("the")
	case indefinite:
		if p.number == plural || p.noun.mass {
			e.say("some")
		} else {
			e.say("a")
		}
	case negated:
		if p.number == plural || p.noun.mass {
			e.say("any")
		} else {
			e.say("a")
		}
	case noArticle:
		e.say("a")
	case this:
		if p.number == plural {
			e.say("these")
		} else {
			e.say("this")
		}
	case possessive:
		e.say(englishPossessive(p.owner))
	case genitive:
		e.phrase(p.owner, true)
		last := &e.words[len(e.words)-1]
		if strings.HasSuffix(*last, "s") && p.owner.number == plural {
			*last += "'"
		} else {
			*last += "'s"
		}
	case numeral:
		e.say(englishNumber(p.count))
	case lots:
		e.say("a lot of")
	case tooMany:
		if p.noun.mass {
			e.say("too much")
		} else {
			e.say("too many")
		}
	case all:
		e.say("all the")
	case every:
		e.say("every")
	case which:
		e.say("which")
	case howMany:
		if p.noun.mass {
			e.say("how much")
		} else {
			e.say("how many")
		}
	}
	for _, a := range p.adjectives {
		switch {
		case !p.superlative:
			e.say(a.english)
		case a.superlative != "":
			e.say(a.superlative)
		default:
			e.say("most", a.english)
		}
	}
	e.say(p.noun.englishForm(p.number))
	if e.words[start] == "a" && strings.ContainsRune("aeiouI", rune(e.words[start+1][0])) {
		e.words[start] = "an"
	}
}

// capitalise raises the first letter.
func capitalise(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
