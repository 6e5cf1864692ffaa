package sandbox

// A class says what a noun can do in the world; a verb or an adjective names the classes that it goes with.
type class uint32

const (
	person class = 1 << iota
	animal
	food
	drink
	thing
	clothing
	text
	vehicle
	building
	room
	place
	openable   // can be opened and closed
	surface    // things can lie on it and under it
	container  // things can be in it
	inside     // people can be in it
	goal       // one can go to it and come from it
	trade      // an occupation, without an article after "être"
	instrument // of music
	game
)

type gender uint8

const (
	masculine gender = iota
	feminine
)

type number uint8

const (
	singular number = iota
	plural
)

// features are what verbs and adjectives agree with.
type features struct {
	person int // 1, 2 or 3
	gender gender
	number number
}

// slot is the index of the person in a table of je, tu, il, nous, ils.
func (f features) slot() int {
	if f.number == singular {
		return f.person - 1
	}
	if f.person == 1 {
		return 3
	}
	return 4
}

// A noun pairs an English noun with a French one. Plurals are given where they are not regular in s.
type noun struct {
	english, englishPlural string
	french, frenchPlural   string
	gender                 gender
	class                  class
	mass                   bool // cannot be counted
	unowned                bool // "my woman" would be said as "ma femme", my wife
	built                  bool // composed of pieces, and so rare
}

// m and f keep the tables below short.
const m, f = masculine, feminine

var nouns = []*noun{
	{english: "boy", french: "garçon", gender: m, class: person, unowned: true},
	{english: "girl", french: "fille", gender: f, class: person, unowned: true},
	{english: "man", englishPlural: "men", french: "homme", gender: m, class: person, unowned: true},
	{english: "woman", englishPlural: "women", french: "femme", gender: f, class: person, unowned: true},
	{english: "brother", french: "frère", gender: m, class: person},
	{english: "sister", french: "sœur", gender: f, class: person},
	{english: "uncle", french: "oncle", gender: m, class: person},
	{english: "aunt", french: "tante", gender: f, class: person},
	{english: "king", french: "roi", gender: m, class: person | trade},
	{english: "queen", french: "reine", gender: f, class: person | trade},
	{english: "baker", french: "boulanger", gender: m, class: person | trade},
	{english: "doctor", french: "médecin", gender: m, class: person | trade},
	{english: "actor", french: "acteur", gender: m, class: person | trade},
	{english: "actress", french: "actrice", gender: f, class: person | trade},

	{english: "cat", french: "chat", gender: m, class: animal},
	{english: "dog", french: "chien", gender: m, class: animal},
	{english: "horse", french: "cheval", frenchPlural: "chevaux", gender: m, class: animal},
	{english: "bird", french: "oiseau", frenchPlural: "oiseaux", gender: m, class: animal},
	{english: "owl", french: "hibou", frenchPlural: "hiboux", gender: m, class: animal},
	{english: "cow", french: "vache", gender: f, class: animal},
	{english: "mouse", englishPlural: "mice", french: "souris", frenchPlural: "souris", gender: f, class: animal},
	{english: "bee", french: "abeille", gender: f, class: animal},

	{english: "apple", french: "pomme", gender: f, class: food},
	{english: "orange", french: "orange", gender: f, class: food},
	{english: "egg", french: "œuf", gender: m, class: food},
	{english: "cake", french: "gâteau", frenchPlural: "gâteaux", gender: m, class: food},
	{english: "bean", french: "haricot", gender: m, class: food},
	{english: "onion", french: "oignon", gender: m, class: food},
	{english: "bread", french: "pain", gender: m, class: food, mass: true},
	{english: "cheese", french: "fromage", gender: m, class: food, mass: true},
	{english: "soup", french: "soupe", gender: f, class: food, mass: true},
	{english: "rice", french: "riz", gender: m, class: food, mass: true},
	{english: "jam", french: "confiture", gender: f, class: food, mass: true},
	{english: "water", french: "eau", gender: f, class: drink, mass: true},
	{english: "milk", french: "lait", gender: m, class: drink, mass: true},
	{english: "coffee", french: "café", gender: m, class: drink, mass: true},
	{english: "tea", french: "thé", gender: m, class: drink, mass: true},

	{english: "table", french: "table", gender: f, class: thing | surface},
	{english: "chair", french: "chaise", gender: f, class: thing | surface},
	{english: "bed", french: "lit", gender: m, class: thing | surface},
	{english: "box", french: "boîte", gender: f, class: thing | container | openable},
	{english: "basket", french: "panier", gender: m, class: thing | container},
	{english: "key", french: "clé", gender: f, class: thing},
	{english: "knife", englishPlural: "knives", french: "couteau", frenchPlural: "couteaux", gender: m, class: thing},
	{english: "glass", french: "verre", gender: m, class: thing},
	{english: "umbrella", french: "parapluie", gender: m, class: thing},
	{english: "picture", french: "tableau", frenchPlural: "tableaux", gender: m, class: thing},
	{english: "flower", french: "fleur", gender: f, class: thing},
	{english: "jewel", french: "bijou", frenchPlural: "bijoux", gender: m, class: thing},
	{english: "clock", french: "horloge", gender: f, class: thing},
	{english: "door", french: "porte", gender: f, class: openable},
	{english: "window", french: "fenêtre", gender: f, class: openable},

	{english: "hat", french: "chapeau", frenchPlural: "chapeaux", gender: m, class: clothing},
	{english: "shirt", french: "chemise", gender: f, class: clothing},
	{english: "coat", french: "manteau", frenchPlural: "manteaux", gender: m, class: clothing},
	{english: "shoe", french: "chaussure", gender: f, class: clothing},
	{english: "scarf", englishPlural: "scarves", french: "écharpe", gender: f, class: clothing},

	{english: "book", french: "livre", gender: m, class: text},
	{english: "letter", french: "lettre", gender: f, class: text},
	{english: "newspaper", french: "journal", frenchPlural: "journaux", gender: m, class: text},
	{english: "story", french: "histoire", gender: f, class: text},
	{english: "song", french: "chanson", gender: f, class: text},

	{english: "car", french: "voiture", gender: f, class: vehicle},
	{english: "boat", french: "bateau", frenchPlural: "bateaux", gender: m, class: vehicle},
	{english: "train", french: "train", gender: m, class: vehicle},
	{english: "plane", french: "avion", gender: m, class: vehicle},

	{english: "house", french: "maison", gender: f, class: building | inside},
	{english: "school", french: "école", gender: f, class: building | inside | goal},
	{english: "castle", french: "château", frenchPlural: "châteaux", gender: m, class: building | inside | goal},
	{english: "hotel", french: "hôtel", gender: m, class: building | inside | goal},
	{english: "church", french: "église", gender: f, class: building | inside | goal},
	{english: "hospital", french: "hôpital", frenchPlural: "hôpitaux", gender: m, class: building | inside | goal},
	{english: "kitchen", french: "cuisine", gender: f, class: room | inside},
	{english: "garden", french: "jardin", gender: m, class: room | inside},
	{english: "office", french: "bureau", frenchPlural: "bureaux", gender: m, class: room | inside | goal},
	{english: "village", french: "village", gender: m, class: place | inside | goal},
	{english: "city", french: "ville", gender: f, class: place | inside},
	{english: "park", french: "parc", gender: m, class: place | inside | goal},
	{english: "market", french: "marché", gender: m, class: place | goal},
	{english: "station", french: "gare", gender: f, class: place | goal},
	{english: "beach", french: "plage", gender: f, class: place | goal},
	{english: "bridge", french: "pont", gender: m, class: place},

	{english: "piano", french: "piano", gender: m, class: instrument},
	{english: "guitar", french: "guitare", gender: f, class: instrument},
	{english: "accordion", french: "accordéon", gender: m, class: instrument},
	{english: "football", french: "football", gender: m, class: game, mass: true},
	{english: "tennis", french: "tennis", gender: m, class: game, mass: true},
	{english: "cards", french: "cartes", gender: f, class: game},
	{english: "chess", french: "échecs", gender: m, class: game},
}

// Nouns that count something and stand outside the classes.
var (
	years   = &noun{english: "year old", englishPlural: "years old", french: "an", gender: m}
	euros   = &noun{english: "euro", french: "euro", gender: m}
	degrees = &noun{english: "degree", french: "degré", gender: m}
)

func (n *noun) englishForm(num number) string {
	switch {
	case num == singular || n.class&game != 0:
		return n.english
	case n.englishPlural != "":
		return n.englishPlural
	default:
		return sibilantS(n.english)
	}
}

func (n *noun) frenchForm(num number) string {
	switch {
	case num == singular || n.class&game != 0:
		return n.french
	case n.frenchPlural != "":
		return n.frenchPlural
	default:
		return n.french + "s"
	}
}

// A position is where a French adjective stands.
type position uint8

const (
	after position = iota
	before
	predicate // only after "être"
)

// An adjective pairs an English adjective with a French one.
type adjective struct {
	english, comparative, superlative string // comparative and superlative where they are single words
	french, feminine, plural          string // feminine and masculine plural where they are not regular
	liaison                           string // masculine singular before a vowel: "bel"
	better                            string // irregular comparative: "meilleur"
	position                          position
	rank                              int // order among several in English: opinion, size, age, colour, origin
	class                             class
	absolute                          bool // has no degrees
}

// gradable reports whether there can be more or less of it.
func (a *adjective) gradable() bool { return !a.absolute && a.rank != 4 && a.rank != 5 }

const (
	ware    = thing | clothing | vehicle
	edifice = building | room
)

var adjectives = []*adjective{
	{english: "beautiful", french: "beau", feminine: "belle", plural: "beaux", liaison: "bel", position: before, rank: 1, class: ware | edifice | place | animal},
	{english: "good", comparative: "better", superlative: "best", french: "bon", feminine: "bonne", better: "meilleur", position: before, rank: 1, class: food | drink | text | trade},
	{english: "pretty", comparative: "prettier", superlative: "prettiest", french: "joli", position: before, rank: 9, class: clothing | thing | place},
	{english: "big", comparative: "bigger", superlative: "biggest", french: "grand", position: before, rank: 2, class: ware | edifice | place | animal},
	{english: "small", comparative: "smaller", superlative: "smallest", french: "petit", position: before, rank: 2, class: ware | edifice | place | animal},
	{english: "old", comparative: "older", superlative: "oldest", french: "vieux", feminine: "vieille", plural: "vieux", liaison: "vieil", position: before, rank: 3, class: ware | edifice | text | animate},
	{english: "new", absolute: true, french: "nouveau", feminine: "nouvelle", plural: "nouveaux", liaison: "nouvel", position: before, rank: 3, class: ware | building | text},
	{english: "young", comparative: "younger", superlative: "youngest", french: "jeune", position: before, rank: 3, class: animate},

	{english: "red", french: "rouge", rank: 4, class: ware | openable},
	{english: "blue", french: "bleu", rank: 4, class: ware | openable},
	{english: "green", french: "vert", rank: 4, class: ware | openable},
	{english: "white", french: "blanc", feminine: "blanche", rank: 4, class: ware | openable | animal},
	{english: "black", french: "noir", rank: 4, class: ware | animal},
	{english: "Italian", french: "italien", feminine: "italienne", rank: 5, class: vehicle | clothing | food | drink | person},
	{english: "French", french: "français", rank: 5, class: vehicle | clothing | food | drink | text | person},
	{english: "German", french: "allemand", rank: 5, class: vehicle | clothing | food | drink | text | person},

	{english: "heavy", comparative: "heavier", superlative: "heaviest", french: "lourd", rank: 9, class: thing | vehicle},
	{english: "empty", absolute: true, french: "vide", rank: 9, class: container | edifice | vehicle},
	{english: "expensive", french: "cher", feminine: "chère", rank: 9, class: ware | food | building},
	{english: "dry", french: "sec", feminine: "sèche", rank: 9, class: clothing},
	{english: "fresh", comparative: "fresher", superlative: "freshest", french: "frais", feminine: "fraîche", rank: 9, class: food},
	{english: "dangerous", french: "dangereux", feminine: "dangereuse", rank: 9, class: animal | vehicle | place},
	{english: "strange", comparative: "stranger", superlative: "strangest", french: "étrange", rank: 9, class: animate | text | edifice},
	{english: "famous", french: "célèbre", rank: 9, class: person | text | building | place},
	{english: "royal", absolute: true, french: "royal", plural: "royaux", rank: 9, class: building | vehicle},

	{english: "rich", comparative: "richer", superlative: "richest", french: "riche", rank: 9, class: person},
	{english: "jealous", french: "jaloux", feminine: "jalouse", rank: 9, class: person},
	{english: "lazy", comparative: "lazier", superlative: "laziest", french: "paresseux", feminine: "paresseuse", rank: 9, class: animate},
	{english: "intelligent", french: "intelligent", rank: 9, class: animate},
	{english: "active", french: "actif", feminine: "active", rank: 9, class: animate},
	{english: "tall", comparative: "taller", french: "grand", position: predicate, class: person},
	{english: "happy", comparative: "happier", french: "heureux", feminine: "heureuse", position: predicate, class: animate},
	{english: "sad", comparative: "sadder", french: "triste", position: predicate, class: animate},
	{english: "tired", french: "fatigué", position: predicate, class: animate},
	{english: "proud", comparative: "prouder", french: "fier", feminine: "fière", position: predicate, class: person},
	{english: "kind", comparative: "kinder", french: "gentil", feminine: "gentille", position: predicate, class: animate},
}

// agree is the form of the adjective for the features; the liaison form is chosen where the next word is known.
func (a *adjective) agree(ft features) string {
	return inflect(a.french, a.feminine, a.plural, ft)
}

// inflect gives a French adjective or participle its ending, from the masculine and the forms that are not regular.
func inflect(base, fem, plur string, ft features) string {
	if ft.gender == feminine {
		if fem == "" {
			fem = base
			if base[len(base)-1] != 'e' {
				fem += "e"
			}
		}
		if ft.number == plural {
			return fem + "s"
		}
		return fem
	}
	if ft.number == singular {
		return base
	}
	if plur != "" {
		return plur
	}
	if last := base[len(base)-1]; last == 's' || last == 'x' {
		return base
	}
	return base + "s"
}

// A name is a person's, the same in both languages.
type name struct {
	text   string
	gender gender
}

var firstNames = []name{
	{"Paul", m}, {"Marc", m}, {"Lucas", m}, {"Antoine", m}, {"Simon", m}, {"Oscar", m},
	{"Marie", f}, {"Julie", f}, {"Claire", f}, {"Alice", f}, {"Emma", f}, {"Nina", f},
}

// Surnames are copied; they are made of these syllables.
var (
	surnameStarts = []string{"Bal", "Cor", "Del", "Fen", "Gal", "Jan", "Kar", "Lin", "Mor", "Nav", "Pel", "Ros", "Sil", "Tor"}
	surnameEnds   = []string{"dan", "mar", "vin", "nor", "ric", "tel", "ba", "sa", "len"}
)

// A piece is one part of a built word in both languages.
type piece struct{ english, french string }

// Place names: "Wolfbridge" is "Pontloup".
var (
	placeModifiers = []piece{
		{"Wolf", "loup"}, {"Oak", "chêne"}, {"Stone", "pierre"}, {"Fox", "renard"}, {"Moon", "lune"}, {"Snow", "neige"},
		{"Iron", "fer"}, {"Salt", "sel"}, {"King", "roi"}, {"Rose", "rose"}, {"Bear", "ours"}, {"Star", "étoile"},
		{"Gold", "or"}, {"Rain", "pluie"},
	}
	placeHeads = []piece{
		{"bridge", "Pont"}, {"castle", "Château"}, {"field", "Champ"}, {"wood", "Bois"}, {"mill", "Moulin"}, {"tower", "Tour"},
		{"church", "Église"}, {"lake", "Lac"}, {"gate", "Porte"}, {"hill", "Colline"},
	}
)

// Tools: a "bread-cutter" is a "coupe-pain".
var (
	toolObjects = []piece{
		{"bread", "pain"}, {"paper", "papier"}, {"glass", "verre"}, {"snow", "neige"}, {"wood", "bois"}, {"sand", "sable"}, {"milk", "lait"},
		{"dust", "poussière"}, {"wool", "laine"}, {"cheese", "fromage"},
	}
	toolActions = []piece{
		{"cutter", "coupe"}, {"breaker", "casse"}, {"washer", "lave"}, {"carrier", "porte"}, {"catcher", "attrape"},
		{"warmer", "chauffe"}, {"wiper", "essuie"}, {"collector", "ramasse"},
	}
)

// aspirated holds the French words before which nothing is elided although they begin with a vowel or an h.
var aspirated = map[string]bool{"hibou": true, "hiboux": true, "haricot": true, "haricots": true, "huit": true, "onze": true}
