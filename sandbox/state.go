package sandbox

import "fmt"

// A state is what a reader of a story knows of its world, and nothing that the story leaves open.
type state struct {
	at     map[*name]*noun // where people are
	lying  map[*noun]*noun // where things are that nobody has
	holder map[*noun]*name // who has things
	owned  map[stock]int   // how many of a food somebody has
	above  map[order]bool  // who is taller or older than who, with what follows from it

	facts []string // everything that was ever true in the story, as combinations of words
}

type stock struct {
	who  *name
	food *noun
}

type order struct {
	adjective    *adjective
	upper, lower *name
}

func newState() *state {
	return &state{
		at: map[*name]*noun{}, lying: map[*noun]*noun{}, holder: map[*noun]*name{}, owned: map[stock]int{}, above: map[order]bool{},
	}
}

// stateAfter returns the state after the events.
func stateAfter(events []event) *state {
	s := newState()
	for _, e := range events {
		s.apply(e)
	}
	return s
}

// conflict says what in the state makes the event impossible, or nothing.
func (s *state) conflict(e event) string {
	switch e.kind {
	case takes:
		if holder := s.holder[e.thing]; holder != nil {
			return holder.text + " has the " + e.thing.english
		}
		if lying, at := s.lying[e.thing], s.at[e.who]; lying != nil && lying != at {
			return "the " + e.thing.english + " is elsewhere"
		}
	case has:
		if s.holder[e.thing] != nil || s.lying[e.thing] != nil {
			return "it was said before where the " + e.thing.english + " is"
		}
	case gives, leaves:
		if s.holder[e.thing] != e.who {
			return e.who.text + " does not have the " + e.thing.english
		}
		if e.kind == gives && s.at[e.who] != s.at[e.other] {
			return e.who.text + " and " + e.other.text + " are not together"
		}
		if e.kind == leaves && s.at[e.who] != e.place {
			return e.who.text + " is elsewhere"
		}
	case owns:
		if _, known := s.owned[stock{e.who, e.thing}]; known {
			return "it was said before how many " + e.thing.englishForm(plural) + " " + e.who.text + " has"
		}
	case givesSome, eats:
		if n, known := s.owned[stock{e.who, e.thing}]; known && n < e.count {
			return e.who.text + " does not have so many " + e.thing.englishForm(plural)
		}
	case exceeds:
		if s.above[order{e.adjective, e.other, e.who}] {
			return e.other.text + " is " + e.adjective.comparative
		}
	}
	return ""
}

func (s *state) apply(e event) {
	switch e.kind {
	case isAt, goes:
		s.move(e.who, e.place)
	case lies:
		delete(s.holder, e.thing)
		s.lay(e.thing, e.place)
	case has, takes:
		s.hand(e.thing, e.who)
	case gives:
		s.hand(e.thing, e.other)
	case leaves:
		s.move(e.who, e.place)
		delete(s.holder, e.thing)
		s.lay(e.thing, e.place)
	case owns:
		s.stock(e.who, e.thing, e.count)
	case givesSome:
		s.restock(e.who, e.thing, -e.count)
		s.restock(e.other, e.thing, e.count)
	case eats:
		s.restock(e.who, e.thing, -e.count)
	case buys:
		s.restock(e.who, e.thing, e.count)
	case exceeds:
		s.exceed(e.adjective, e.who, e.other)
	}
}

func (s *state) move(who *name, to *noun) {
	s.at[who] = to
	s.note(placeFact(who.text, to))
	for thing, holder := range s.holder {
		if holder == who {
			s.note(placeFact(thing.english, to))
		}
	}
}

func (s *state) lay(thing, place *noun) {
	s.lying[thing] = place
	s.note(placeFact(thing.english, place))
}

func (s *state) hand(thing *noun, to *name) {
	delete(s.lying, thing)
	s.holder[thing] = to
	s.note(holderFact(to, thing))
	if place := s.at[to]; place != nil {
		s.note(placeFact(thing.english, place))
	}
}

func (s *state) stock(who *name, food *noun, n int) {
	s.owned[stock{who, food}] = n
	s.note(countFact(who, food, n))
}

// restock changes how many somebody has, if that is known.
func (s *state) restock(who *name, food *noun, by int) {
	if n, known := s.owned[stock{who, food}]; known {
		s.stock(who, food, n+by)
	}
}

// exceed adds an order and all that follows from it and from the others.
func (s *state) exceed(a *adjective, upper, lower *name) {
	uppers, lowers := []*name{upper}, []*name{lower}
	for o := range s.above {
		if o.adjective == a && o.lower == upper {
			uppers = append(uppers, o.upper)
		}
		if o.adjective == a && o.upper == lower {
			lowers = append(lowers, o.lower)
		}
	}
	for _, u := range uppers {
		for _, l := range lowers {
			s.above[order{a, u, l}] = true
			s.note(orderFact(a, u, l))
		}
	}
}

// placeOf returns where a thing is: where it lies, or where the person is who has it; nil if the story does not say.
func (s *state) placeOf(thing *noun) *noun {
	if holder := s.holder[thing]; holder != nil {
		return s.at[holder]
	}
	return s.lying[thing]
}

func (s *state) note(fact string) { s.facts = append(s.facts, fact) }

// A fact is a combination of words that can be true. Some are held out: no story, question or answer of the training
// data contains or implies them.
func placeFact(what string, place *noun) string { return what + " in " + place.english }
func holderFact(who *name, thing *noun) string  { return who.text + " has " + thing.english }
func countFact(who *name, food *noun, n int) string {
	return fmt.Sprint(who.text, " has ", n, " ", food.english)
}
func orderFact(a *adjective, upper, lower *name) string {
	if upper.text > lower.text { // who of two is taller is not known before the story tells, but that these two are compared
		upper, lower = lower, upper
	}
	return a.comparative + " " + upper.text + " " + lower.text
}

// facts lists those that an event asserts alone.
func (e event) facts() []string {
	switch e.kind {
	case isAt, goes:
		return []string{placeFact(e.who.text, e.place)}
	case lies:
		return []string{placeFact(e.thing.english, e.place)}
	case has, takes:
		return []string{holderFact(e.who, e.thing)}
	case gives:
		return []string{holderFact(e.who, e.thing), holderFact(e.other, e.thing)}
	case leaves:
		return []string{placeFact(e.who.text, e.place), holderFact(e.who, e.thing), placeFact(e.thing.english, e.place)}
	case owns:
		return []string{countFact(e.who, e.thing, e.count)}
	case exceeds:
		return []string{orderFact(e.adjective, e.who, e.other)}
	}
	return nil
}

// unseenShare is one in how many facts is held out.
const unseenShare = 10

// unseen reports whether a fact is held out. It depends on nothing but the fact, so that no model, of whatever seed its
// training data was, has seen it.
func unseen(fact string) bool {
	h := uint32(2166136261) // FNV-1a, which hash/fnv would need memory for
	for i := range len(fact) {
		h = (h ^ uint32(fact[i])) * 16777619
	}
	return h>>8%unseenShare == 0
}

func anyUnseen(facts []string) bool {
	for _, f := range facts {
		if unseen(f) {
			return true
		}
	}
	return false
}
