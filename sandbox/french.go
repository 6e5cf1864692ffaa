package sandbox

import (
	"strings"
	"unicode/utf8"
)

// french says a sentence in French, word by word, and notes the phenomena that it met and the combinations of words.
type french struct {
	words        []string
	tags         []string
	combinations []string
}

// French is the sentence in French, with a space before the question mark.
func (s *Sentence) French() string { return s.inFrench().text() }

// inFrench says the whole sentence.
func (s *Sentence) inFrench() *french {
	f := &french{}
	switch {
	case s.linkFirst:
		f.note("subordinate clause")
		f.say(frenchLinks[s.link])
		f.clause(s.second)
		f.comma()
		f.clause(s.main)
	default:
		f.question(s)
		f.clause(s.main)
		if s.second == nil {
			break
		}
		switch s.link {
		case and:
			f.note("coordination")
		case but:
			f.note("coordination")
			f.comma()
		default:
			f.note("subordinate clause")
		}
		f.say(frenchLinks[s.link])
		f.clause(s.second)
	}
	if s.mood == statement {
		f.words[len(f.words)-1] += "."
	} else {
		f.say("?")
	}
	f.elide()
	return f
}

func (f *french) text() string {
	var b strings.Builder
	for i, w := range f.words {
		if i > 0 && !strings.HasSuffix(f.words[i-1], "'") {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return capitalise(b.String())
}

var frenchLinks = [...]string{and: "et", but: "mais", because: "parce que", when: "quand", ifLink: "si", that: "que"}

// question says what stands before the clause of a question.
func (f *french) question(s *Sentence) {
	switch s.mood {
	case statement:
		return
	case askObject:
		if s.main.object.pronoun == what {
			f.say("qu'est-ce que")
			break
		}
		f.phrase(s.main.object, "")
		f.say("est-ce que")
	case askWhere:
		f.say("où est-ce que")
	case askWhen:
		f.say("quand est-ce que")
	case askWhy:
		f.say("pourquoi est-ce que")
	case yesNo:
		f.say("est-ce que")
	}
	f.note("question")
}

// say appends words; a text of several words is cut, so that each can be elided.
func (f *french) say(texts ...string) {
	for _, text := range texts {
		if strings.IndexByte(text, ' ') < 0 {
			if text != "" {
				f.words = append(f.words, text)
			}
			continue
		}
		f.words = append(f.words, strings.Fields(text)...)
	}
}

func (f *french) comma() { f.words[len(f.words)-1] += "," }

func (f *french) note(tag string) {
	for _, t := range f.tags {
		if t == tag {
			return
		}
	}
	f.tags = append(f.tags, tag)
}

func (f *french) combine(a, b string) { f.combinations = append(f.combinations, a+" + "+b) }

// elide takes the vowel from "le", "la", "je", "que" … before a vowel or a mute h, and from "si" before "il".
func (f *french) elide() {
	for i := 0; i+1 < len(f.words); i++ {
		word, next := f.words[i], f.words[i+1]
		switch word {
		case "je", "me", "te", "se", "le", "la", "de", "ne", "que":
			if beginsWithVowel(next) {
				f.words[i] = word[:len(word)-1] + "'"
				f.note("elision")
			}
		case "si":
			if next == "il" || next == "ils" {
				f.words[i] = "s'"
				f.note("elision")
			}
		}
	}
}

// beginsWithVowel reports whether a word is elided before: it begins with a vowel or a mute h.
func beginsWithVowel(word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	return word != "" && strings.ContainsRune("aeiouyhàâéèêëîïôöûüœAEIOUÉÎ", first) && !aspirated[strings.Trim(word, ".,")]
}

// A frenchTense is the French side of a tense.
type frenchTense uint8

const (
	frPresent frenchTense = iota
	frImperfect
	frCompound
	frFuture
)

func (c *clause) frenchTense() frenchTense {
	switch c.tense {
	case present, continuous:
		return frPresent
	case pastContinuous, usedTo:
		return frImperfect
	case past:
		if c.verb.stative {
			return frImperfect
		}
		return frCompound
	case perfect:
		return frCompound
	default:
		return frFuture
	}
}

// clause says a clause; what stands before it because of its gap has been said.
func (f *french) clause(c *clause) {
	if c.when != nil && c.when.front {
		f.say(c.when.french)
		f.comma()
	}
	subject, object, prep := c.subject, c.object, c.verb.preposition
	if c.verb.swap {
		subject, object = object, subject
		f.note("subject and object swapped")
	}
	if c.gap != subjectGap {
		f.phrase(subject, "")
	}
	f.verbGroup(c, subject, object)

	if object != nil && c.gap != objectGap && !object.isObjectPronoun() && object.pronoun != nobody && object.pronoun != nothing {
		f.phrase(object, prep)
		if object.noun != nil && object.noun.class&^(instrument|game) != 0 && !object.noun.built && c.verb != copula {
			f.combine(c.verb.french.infinitive, object.noun.french)
		}
	}
	if c.recipient != nil && !c.recipient.isObjectPronoun() {
		f.phrase(c.recipient, "à")
	}
	f.predicate(c, subject.features())
	if c.where != nil {
		f.phrase(c.where.phrase, c.where.preposition.french)
	}
	if c.when != nil && !c.when.front {
		f.say(c.when.french)
	}
}

var (
	reflexivePronouns = [5]string{"me", "te", "se", "nous", "se"}
	subjectPronouns   = [5]string{"je", "tu", "il", "nous", "ils"}
	stressedPronouns  = [5]string{"moi", "toi", "lui", "nous", "eux"}
)

// objectPronoun is the French pronoun before the verb, direct or after "à".
func objectPronoun(p *phrase, indirect bool) string {
	ft := p.features()
	if ft.person != 3 {
		return reflexivePronouns[ft.slot()]
	}
	switch {
	case indirect && ft.number == plural:
		return "leur"
	case indirect:
		return "lui"
	case ft.number == plural:
		return "les"
	case ft.gender == feminine:
		return "la"
	default:
		return "le"
	}
}

// verbGroup says the verb with its negation, pronouns and participle.
func (f *french) verbGroup(c *clause, subject, object *phrase) {
	v, ft := c.verb, subject.features()
	if v == existential {
		f.note("il y a")
	}
	negation := f.negation(c, subject, object)
	clitics := f.clitics(c, ft, object)
	slot := ft.slot()

	finite, rest := "", ""
	switch {
	case c.modal != noModal:
		governor := [...]*conjugation{can: pouvoir, must: devoir, wantTo: vouloir, goingTo: aller}[c.modal]
		finite, rest = governor.present[slot], v.french.infinitive
		f.note("infinitive")
	case c.frenchTense() == frPresent:
		finite = v.french.present[slot]
	case c.frenchTense() == frImperfect:
		finite = v.french.imperfectForm(slot)
		f.note("imparfait")
	case c.frenchTense() == frFuture:
		finite = v.french.futureForm(slot)
		f.note("futur")
		if c.tense == whenFuture {
			f.note("futur after quand")
		}
	default:
		auxiliary := avoir
		if v.etre {
			auxiliary = etre
		}
		finite, rest = auxiliary.present[slot], f.participle(c, ft, object)
	}

	if negation != "" {
		f.say("ne")
	}
	if c.modal == noModal {
		f.say(clitics...)
	}
	f.say(finite)
	if negation == "personne" {
		f.say(rest, negation)
		return
	}
	if negation != "ne" {
		f.say(negation)
	}
	if c.adverb != nil {
		f.say(c.adverb.french)
		f.note("adverb")
	}
	if c.modal != noModal {
		f.say(clitics...)
	}
	f.say(rest)
	f.say(v.frenchTail)
}

// negation is the second word of the negation, "ne" alone where the subject carries it, or nothing.
func (f *french) negation(c *clause, subject, object *phrase) string {
	word := [...]string{"", "pas", "jamais", "plus"}[c.polarity]
	switch {
	case subject.pronoun == nobody:
		word = "ne"
	case object != nil && object.pronoun == nobody:
		word = "personne"
	case object != nil && object.pronoun == nothing:
		word = "rien"
	}
	if word != "" {
		f.note("negation")
	}
	return word
}

// clitics are the pronouns before the verb.
func (f *french) clitics(c *clause, subject features, object *phrase) []string {
	var clitics []string
	switch c.verb.clitic {
	case "se":
		clitics = append(clitics, reflexivePronouns[subject.slot()])
		f.note("reflexive verb")
	case "":
	default:
		clitics = append(clitics, c.verb.clitic)
	}
	if object.isObjectPronoun() && c.gap != objectGap {
		clitics = append(clitics, objectPronoun(object, c.verb.preposition == "à"))
		f.note("object pronoun")
	}
	if c.recipient.isObjectPronoun() {
		clitics = append(clitics, objectPronoun(c.recipient, true))
		f.note("object pronoun")
	}
	return clitics
}

// participle is the past participle, agreeing with the subject after "être", with a direct object that stands
// before it after "avoir".
func (f *french) participle(c *clause, subject features, object *phrase) string {
	base := c.verb.french.participle
	if c.verb.etre {
		f.note("passé composé with être")
		return inflect(base, "", "", subject)
	}
	f.note("passé composé with avoir")
	fronted := object != nil && (object.isObjectPronoun() || c.gap == objectGap && object.pronoun == noPronoun)
	if !fronted || c.verb.preposition != "" {
		return base
	}
	agreed := inflect(base, "", "", object.features())
	if agreed != base {
		f.note("participle agrees with object")
	}
	return agreed
}

// predicate says what follows the copula: an adjective with its degree, or the time on the clock.
func (f *french) predicate(c *clause, subject features) {
	if c.hour > 0 {
		f.say(frenchClock(c.hour, c.minute))
		f.note("clock")
	}
	if c.adjective == nil {
		return
	}
	a := c.adjective
	f.note("predicate adjective")
	form := a.agree(subject)
	switch c.degree {
	case plain:
		f.say(form)
		return
	case very:
		f.say("très", form)
		return
	case too:
		f.say("trop", form)
		return
	case more:
		if a.better != "" {
			f.say(inflect(a.better, "", "", subject))
		} else {
			f.say("plus", form)
		}
	case less:
		f.say("moins", form)
	case equally:
		f.say("aussi", form)
	}
	f.note("comparative")
	f.say("que")
	if c.than.isObjectPronoun() {
		f.say(stressed(c.than))
	} else {
		f.phrase(c.than, "")
	}
}

func stressed(p *phrase) string {
	ft := p.features()
	if ft.person == 3 && ft.gender == feminine {
		if ft.number == plural {
			return "elles"
		}
		return "elle"
	}
	return stressedPronouns[ft.slot()]
}

// frenchClock says a time in five-minute steps.
func frenchClock(hour, minute int) string {
	if minute > 30 {
		hour = hour%12 + 1
	}
	text := frenchNumber(hour, feminine) + " heures"
	if hour == 1 {
		text = "une heure"
	}
	switch {
	case minute == 0:
		return text
	case minute == 15:
		return text + " et quart"
	case minute == 30:
		return text + " et demie"
	case minute == 45:
		return text + " moins le quart"
	case minute < 30:
		return text + " " + frenchNumber(minute, feminine)
	default:
		return text + " moins " + frenchNumber(60-minute, feminine)
	}
}
