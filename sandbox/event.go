package sandbox

import (
	"slices"
	"sync"
)

// An eventKind is one of the twelve things that a sentence of a story can say.
type eventKind uint8

const (
	isAt      eventKind = iota // Paul is in the park.
	goes                       // Paul goes to the park.
	lies                       // The key is in the park.
	has                        // Paul has the key.
	takes                      // Paul takes the key.
	gives                      // Paul gives the key to Marie.
	leaves                     // Paul leaves the key in the park.
	owns                       // Paul has three apples.
	givesSome                  // Paul gives two apples to Marie.
	eats                       // Paul eats two apples.
	buys                       // Paul buys two apples.
	exceeds                    // Paul is taller than Marie.
)

// An event is a sentence of a story, of which only the fields that its kind mentions are set.
type event struct {
	kind       eventKind
	who, other *name
	thing      *noun // or food
	count      int
	place      *noun
	adjective  *adjective
}

// What stories are about. The lists are short enough that a small model meets every word often, and long enough that it meets few
// combinations so often that it learns which of them never occur.
var (
	villagers = namesOf(slices.Concat(firstNames, []name{
		{"Hugo", m}, {"Thomas", m}, {"Victor", m}, {"Martin", m}, {"Daniel", m}, {"Adam", m}, {"Robert", m}, {"Felix", m}, {"David", m}, {"Leo", m},
		{"Louise", f}, {"Sophie", f}, {"Camille", f}, {"Laura", f}, {"Eva", f}, {"Clara", f}, {"Irene", f}, {"Sarah", f}, {"Jeanne", f}, {"Rose", f},
	}))
	places = append(nounsNamed("school", "castle", "hotel", "church", "hospital", "office", "village", "park"),
		&noun{english: "library", french: "bibliothèque", gender: f}, &noun{english: "museum", french: "musée", gender: m},
		&noun{english: "bank", french: "banque", gender: f}, &noun{english: "theatre", french: "théâtre", gender: m},
		&noun{english: "mill", french: "moulin", gender: m}, &noun{english: "forest", french: "forêt", gender: f},
		&noun{english: "inn", french: "auberge", gender: f}, &noun{english: "tower", french: "tour", gender: f})
	things = append(nounsNamed("key", "book", "letter", "umbrella", "clock", "hat", "picture", "scarf",
		"box", "basket", "knife", "flower", "jewel", "shirt", "coat", "newspaper", "guitar"),
		&noun{english: "lamp", french: "lampe", gender: f}, &noun{english: "ring", french: "bague", gender: f}, &noun{english: "rope", french: "corde", gender: f})
	foods = append(nounsNamed("apple", "orange", "egg", "cake", "onion"),
		&noun{english: "pear", french: "poire", gender: f}, &noun{english: "lemon", french: "citron", gender: m},
		&noun{english: "carrot", french: "carotte", gender: f}, &noun{english: "banana", french: "banane", gender: f},
		&noun{english: "plum", french: "prune", gender: f})
	attributes = []*adjective{adjectiveNamed("tall"), adjectiveNamed("old")}
)

const (
	mostOwned = 5 // of a food, by one person
	mostMoved = 2 // given, eaten or bought at a time
)

var (
	having  = verbNamed(transitives, "have")
	taking  = verbNamed(transitives, "take")
	eating  = verbNamed(transitives, "eat")
	buying  = verbNamed(transitives, "buy")
	giving  = verbNamed(givings, "give")
	going   = verbNamed(motions, "go")
	leaving = &verb{english: "leave", past: "left", french: er("laisser"), subjects: person, objects: portable}
)

func namesOf(list []name) []*name {
	names := make([]*name, len(list))
	for i := range list {
		names[i] = &list[i]
	}
	return names
}

func nounsNamed(english ...string) []*noun {
	found := make([]*noun, len(english))
	for i, e := range english {
		found[i] = nouns[slices.IndexFunc(nouns, func(n *noun) bool { return n.english == e })]
	}
	return found
}

func nameOf(text string) *name {
	return villagers[slices.IndexFunc(villagers, func(n *name) bool { return n.text == text })]
}

func placeNamed(english string) *noun {
	return places[slices.IndexFunc(places, func(n *noun) bool { return n.english == english })]
}

func numberNamed(word string) int { return slices.Index(englishUnits[:], word) }

func adjectiveNamed(english string) *adjective {
	return adjectives[slices.IndexFunc(adjectives, func(a *adjective) bool { return a.english == english })]
}

func verbNamed(list []*verb, english string) *verb {
	return list[slices.IndexFunc(list, func(v *verb) bool { return v.english == english })]
}

// sentence is what the event means, which can be said in English and in French.
func (e event) sentence() *Sentence {
	c := &clause{}
	if e.who != nil {
		c.subject = called(e.who)
	} else {
		c.subject = definite(e.thing)
	}
	switch e.kind {
	case isAt, lies:
		c.verb = copula
	case goes:
		c.verb, c.object = going, definite(e.place)
	case has:
		c.verb, c.object = having, definite(e.thing)
	case takes:
		c.verb, c.object = taking, definite(e.thing)
	case gives:
		c.verb, c.object, c.recipient = giving, definite(e.thing), called(e.other)
	case leaves:
		c.verb, c.object = leaving, definite(e.thing)
	case owns:
		c.verb, c.object = having, counted(e.thing, e.count)
	case givesSome:
		c.verb, c.object, c.recipient = giving, counted(e.thing, e.count), called(e.other)
	case eats:
		c.verb, c.object = eating, counted(e.thing, e.count)
	case buys:
		c.verb, c.object = buying, counted(e.thing, e.count)
	case exceeds:
		c.verb, c.adjective, c.degree, c.than = copula, e.adjective, more, called(e.other)
	}
	if e.kind == isAt || e.kind == lies || e.kind == leaves {
		c.where = &placeAdjunct{preposition{"in", "dans"}, definite(e.place)}
	}
	return &Sentence{main: c}
}

func (e event) english() string { return e.sentence().English() }
func (e event) french() string  { return e.sentence().French() }

func called(n *name) *phrase   { return &phrase{name: n.text, gender: n.gender} }
func definite(n *noun) *phrase { return &phrase{noun: n, determiner: the} }

func counted(n *noun, count int) *phrase {
	p := &phrase{noun: n, determiner: numeral, count: count, number: plural}
	if count == 1 {
		p.number = singular
	}
	return p
}

// eventsByEnglish has every sentence that a story can contain, some fifty thousand: reading a story is looking its
// sentences up.
var eventsByEnglish = sync.OnceValue(func() map[string]event {
	all := make(map[string]event, 60000)
	add := func(e event) { all[e.english()] = e }
	for _, p := range places {
		for _, t := range things {
			add(event{kind: lies, thing: t, place: p})
		}
	}
	for _, who := range villagers {
		for _, p := range places {
			add(event{kind: isAt, who: who, place: p})
			add(event{kind: goes, who: who, place: p})
			for _, t := range things {
				add(event{kind: leaves, who: who, thing: t, place: p})
			}
		}
		for _, t := range things {
			add(event{kind: has, who: who, thing: t})
			add(event{kind: takes, who: who, thing: t})
		}
		for _, f := range foods {
			for n := 1; n <= mostOwned; n++ {
				add(event{kind: owns, who: who, thing: f, count: n})
			}
			for n := 1; n <= mostMoved; n++ {
				add(event{kind: eats, who: who, thing: f, count: n})
				add(event{kind: buys, who: who, thing: f, count: n})
			}
		}
		for _, other := range villagers {
			if other == who {
				continue
			}
			for _, t := range things {
				add(event{kind: gives, who: who, other: other, thing: t})
			}
			for _, f := range foods {
				for n := 1; n <= mostMoved; n++ {
					add(event{kind: givesSome, who: who, other: other, thing: f, count: n})
				}
			}
			for _, a := range attributes {
				add(event{kind: exceeds, who: who, other: other, adjective: a})
			}
		}
	}
	return all
})
