package sandbox

import "strings"

// phrase says a noun phrase after a preposition, which may be empty; "à" and "de" contract with the article.
func (f *french) phrase(p *phrase, preposition string) {
	switch {
	case p.pronoun == who:
		f.say("qui")
	case p.pronoun == nobody:
		f.say("personne")
	case p.pronoun == impersonal:
		f.say("il")
	case p.pronoun != noPronoun:
		f.say(preposition, subjectPronoun(p.features()))
	case p.noun == nil:
		f.properName(p, preposition)
	default:
		f.nounPhrase(p, preposition)
	}
	if p.relative != nil {
		f.note("relative clause")
		if p.relative.gap == subjectGap {
			f.say("qui")
		} else {
			f.say("que")
		}
		f.clause(p.relative)
	}
	if p.and != nil {
		f.say("et")
		f.phrase(p.and, preposition)
	}
}

func subjectPronoun(ft features) string {
	if ft.person == 3 && ft.gender == feminine {
		if ft.number == plural {
			return "elles"
		}
		return "elle"
	}
	return subjectPronouns[ft.slot()]
}

func (f *french) properName(p *phrase, preposition string) {
	f.say(preposition)
	switch {
	case p.place != "":
		f.note("built word")
		f.combine(p.place, p.name)
		f.say(p.place)
		return
	case p.title == "Mr":
		f.note("copied name")
		f.say("M.")
	case p.title == "Mrs":
		f.note("copied name")
		f.say("Mme")
	}
	f.say(p.name)
}

// nounPhrase says the determiner, the adjectives on their sides of the noun, the noun and the owner.
func (f *french) nounPhrase(p *phrase, preposition string) {
	ft := p.features()
	ahead, behind := f.adjectivesOf(p, ft)
	form := p.noun.frenchForm(p.number)
	if p.determiner == numeral && p.count == 0 {
		form = p.noun.frenchForm(singular) // "zero degrees", "zéro degré"
	}
	words := append(append(ahead, form), behind...)
	if p.noun.built {
		f.note("built word")
		f.combine("tool", p.noun.french)
	}
	d := f.determinerOf(p, preposition, words[0], len(ahead) > 0)
	f.say(d, strings.Join(words, " "))
	if p.determiner == genitive {
		f.note("genitive")
		f.phrase(p.owner, "de")
	}
}

// adjectivesOf puts the adjectives of a phrase before and after its noun. Those after stand in the mirror of their
// English order: "a red Italian car", "une voiture italienne rouge".
func (f *french) adjectivesOf(p *phrase, ft features) (ahead, behind []string) {
	noun := p.noun.frenchForm(p.number)
	for i := len(p.adjectives) - 1; i >= 0; i-- {
		a := p.adjectives[i]
		f.combine(a.french, p.noun.french)
		form := a.agree(ft)
		if p.superlative {
			f.note("superlative")
			if a.better != "" {
				form = inflect(a.better, "", "", ft)
			} else {
				form = "plus " + form
			}
		}
		if a.position != before {
			f.note("adjective after noun")
			if p.superlative {
				form = article(ft) + " " + form
			}
			behind = append(behind, form)
			continue
		}
		f.note("adjective before noun")
		next := noun
		if len(ahead) > 0 {
			next = ahead[0]
		}
		if a.liaison != "" && ft.gender == masculine && ft.number == singular && beginsWithVowel(next) {
			form = strings.Replace(form, a.french, a.liaison, 1)
			f.note("form before a vowel")
		}
		ahead = append([]string{form}, ahead...)
	}
	return ahead, behind
}

// article is the definite article, not elided.
func article(ft features) string {
	switch {
	case ft.number == plural:
		return "les"
	case ft.gender == feminine:
		return "la"
	default:
		return "le"
	}
}

// determinerOf is the preposition with the determiner before the word next.
func (f *french) determinerOf(p *phrase, preposition, next string, adjectiveAhead bool) string {
	ft := p.features()
	pick := func(ms, fs, pl string) string {
		switch {
		case ft.number == plural:
			return pl
		case ft.gender == feminine:
			return fs
		default:
			return ms
		}
	}
	vowel := beginsWithVowel(next)
	word := ""
	switch p.determiner {
	case bare, the, genitive:
		return f.contract(preposition, article(ft), vowel)
	case indefinite:
		switch {
		case !p.noun.mass && ft.number == singular:
			word = pick("un", "une", "")
		case preposition == "de":
			// "besoin de" + "de l'eau" is "besoin d'eau".
			f.note("partitive")
		case p.noun.mass:
			f.note("partitive")
			return strings.TrimSpace(preposition + " " + f.contract("de", article(ft), vowel))
		case adjectiveAhead:
			f.note("partitive")
			word = "de"
		default:
			f.note("partitive")
			word = "des"
		}
	case negated:
		f.note("partitive")
		word = "de"
	case this:
		word = pick("ce", "cette", "ces")
		if word == "ce" && vowel {
			word = "cet"
			f.note("form before a vowel")
		}
		f.note("demonstrative")
	case possessive:
		f.note("possessive")
		word = f.possessive(p.owner, ft, vowel)
	case numeral:
		f.note("number")
		word = frenchNumber(p.count, ft.gender)
	case lots:
		word = "beaucoup de"
	case tooMany:
		word = "trop de"
	case all:
		word = inflect("tout", "", "tous", ft) + " " + article(ft)
	case every:
		word = "chaque"
	case which:
		word = inflect("quel", "quelle", "", ft)
	case howMany:
		word = "combien de"
	}
	return strings.TrimSpace(preposition + " " + word)
}

// contract joins a preposition and a definite article: "au", "aux", "du", "des", but "à l'", "de l'". A preposition
// of several words may end in "de".
func (f *french) contract(preposition, article string, vowel bool) string {
	if article == "la" || article == "le" && vowel {
		return strings.TrimSpace(preposition + " " + article)
	}
	stem, isDe := strings.CutSuffix(preposition, "de")
	if isDe && stem != "" && !strings.HasSuffix(stem, " ") {
		isDe = false
	}
	switch {
	case isDe && article == "le":
		f.note("contraction")
		return stem + "du"
	case isDe:
		f.note("contraction")
		return stem + "des"
	case preposition == "à" && article == "le":
		f.note("contraction")
		return "au"
	case preposition == "à":
		f.note("contraction")
		return "aux"
	default:
		return strings.TrimSpace(preposition + " " + article)
	}
}

// possessive is "mon", "ma", "mes" … of an owner before a noun phrase with these features.
func (f *french) possessive(owner *phrase, ft features, vowel bool) string {
	o := owner.features()
	if o.number == plural {
		if o.person == 1 {
			return [...]string{"notre", "nos"}[ft.number]
		}
		return [...]string{"leur", "leurs"}[ft.number]
	}
	stem := [...]string{1: "m", 2: "t", 3: "s"}[o.person]
	switch {
	case ft.number == plural:
		return stem + "es"
	case ft.gender == feminine && !vowel:
		return stem + "a"
	case ft.gender == feminine:
		f.note("form before a vowel")
		return stem + "on"
	default:
		return stem + "on"
	}
}
