package sandbox

import (
	"fmt"
	"sync"
)

// A Kind is what a question is about.
type Kind string

const (
	Where     Kind = "where"     // Where is the key?
	Who       Kind = "who"       // Who has the key?
	Count     Kind = "count"     // How many apples does Paul have?
	Compare   Kind = "compare"   // Who is taller, Paul or Marie?
	Translate Kind = "translate" // Translate into French: Paul has the key.
	Unsaid    Kind = "unsaid"    // any of the first four, where the story does not say
)

// Kinds lists all kinds of questions.
var Kinds = []Kind{Where, Who, Count, Compare, Translate, Unsaid}

// An ask is a question without its story, of which only the fields that it mentions are set.
type ask struct {
	kind       Kind // never Unsaid
	who, other *name
	thing      *noun
	adjective  *adjective
	sentence   event // to be translated
}

// text is the question in English.
func (a ask) text() string {
	switch a.kind {
	case Where:
		return "Where is " + a.subject() + "?"
	case Who:
		return "Who has the " + a.thing.english + "?"
	case Count:
		return "How many " + a.thing.englishForm(plural) + " does " + a.who.text + " have?"
	case Compare:
		return "Who is " + a.adjective.comparative + ", " + a.who.text + " or " + a.other.text + "?"
	default:
		return translateInto + " " + a.sentence.english()
	}
}

const translateInto = "Translate into French:"

// subject is what a question for a place is about.
func (a ask) subject() string {
	if a.who != nil {
		return a.who.text
	}
	return "the " + a.thing.english
}

// value returns the answer in one word, or for a translation the French sentence; "" if the state does not say.
func (a ask) value(s *state) string {
	switch a.kind {
	case Where:
		place := s.at[a.who]
		if a.who == nil {
			place = s.placeOf(a.thing)
		}
		if place != nil {
			return place.english
		}
	case Who:
		if holder := s.holder[a.thing]; holder != nil {
			return holder.text
		}
	case Count:
		if n := s.owned[stock{a.who, a.thing}]; n > 0 {
			return englishNumber(n)
		}
	case Compare:
		switch {
		case s.above[order{a.adjective, a.who, a.other}]:
			return a.who.text
		case s.above[order{a.adjective, a.other, a.who}]:
			return a.other.text
		}
	case Translate:
		return a.sentence.french()
	}
	return ""
}

// known reports whether the state says the answer.
func (a ask) known(s *state) bool { return a.kind == Translate || a.value(s) != "" }

// values lists what could be an answer.
func (a ask) values() []string {
	var values []string
	switch a.kind {
	case Where:
		for _, p := range places {
			values = append(values, p.english)
		}
	case Who:
		for _, n := range villagers {
			values = append(values, n.text)
		}
	case Count:
		for n := 1; n <= mostOwned; n++ {
			values = append(values, englishNumber(n))
		}
	case Compare:
		values = []string{a.who.text, a.other.text}
	}
	return values
}

// fact is the combination of words that an answer asserts.
func (a ask) fact(value string) string {
	switch a.kind {
	case Where:
		subject := a.subject()
		if a.who == nil {
			subject = a.thing.english
		}
		return placeFact(subject, placeNamed(value))
	case Who:
		return holderFact(nameOf(value), a.thing)
	case Count:
		return countFact(a.who, a.thing, numberNamed(value))
	case Compare:
		return orderFact(a.adjective, a.who, a.other)
	}
	panic(fmt.Sprintf("sandbox: the answer to %q is not a fact", a.text()))
}

// forms lists the ways to give an answer, the briefest first. The last is a whole sentence.
func (a ask) forms(value string) []string {
	switch a.kind {
	case Where:
		in := " in the " + value + "."
		return []string{"In the " + value + ".", capitalise(a.subject()) + " is" + in}
	case Who:
		return []string{value + ".", value + " has the " + a.thing.english + "."}
	case Count:
		food := a.thing.englishForm(plural)
		if value == englishUnits[1] {
			food = a.thing.english
		}
		return []string{capitalise(value) + ".", capitalise(value) + " " + food + ".", a.who.text + " has " + value + " " + food + "."}
	case Compare:
		loser := a.who.text
		if value == loser {
			loser = a.other.text
		}
		is := value + " is " + a.adjective.comparative
		return []string{value + ".", is + ".", is + " than " + loser + "."}
	default:
		return []string{value}
	}
}

// pronounForms lists further ways that are understood.
func (a ask) pronounForms(value string) []string {
	var who, it string
	if a.who != nil {
		who = map[gender]string{masculine: "He", feminine: "She"}[a.who.gender]
	}
	if it = who; it == "" {
		it = "It"
	}
	switch a.kind {
	case Where:
		return []string{"The " + value + ".", it + " is in the " + value + "."}
	case Who:
		return []string{value + " has it.", value + " does."}
	case Count:
		return []string{who + " has " + value + "."}
	case Compare:
		return []string{value + " is."}
	}
	return nil
}

// asksByEnglish has every question but translations.
var asksByEnglish = sync.OnceValue(func() map[string]ask {
	all := map[string]ask{}
	add := func(a ask) { all[a.text()] = a }
	for _, thing := range things {
		add(ask{kind: Where, thing: thing})
		add(ask{kind: Who, thing: thing})
	}
	for _, who := range villagers {
		add(ask{kind: Where, who: who})
		for _, food := range foods {
			add(ask{kind: Count, who: who, thing: food})
		}
		for _, other := range villagers {
			for _, a := range attributes {
				if who != other {
					add(ask{kind: Compare, who: who, other: other, adjective: a})
				}
			}
		}
	}
	return all
})
