package sandbox

import "testing"

// The helpers below build meanings by hand, so that what is said can be compared with what a person would say.

func nounNamed(t *testing.T, english string) *noun {
	t.Helper()
	for _, n := range nouns {
		if n.english == english {
			return n
		}
	}
	t.Fatalf("no noun %q", english)
	return nil
}

type writer struct{ t *testing.T }

func (w writer) verb(english, tail string) *verb {
	w.t.Helper()
	for _, list := range [][]*verb{transitives, indirects, likings, givings, motions, intransitives, reflexives, sensations, weather, sayings,
		{copula, existential, missing, musicMaking, gaming, costing}} {
		for _, v := range list {
			if v.english == english && v.tail == tail {
				return v
			}
		}
	}
	w.t.Fatalf("no verb %q %q", english, tail)
	return nil
}

// np is a noun phrase with adjectives in English order.
func (w writer) np(d determiner, english string, adjectives ...string) *phrase {
	w.t.Helper()
	p := &phrase{determiner: d, noun: nounNamed(w.t, english)}
	for _, name := range adjectives {
		p.adjectives = append(p.adjectives, w.adjective(name))
	}
	return p
}

func (w writer) adjective(english string) *adjective {
	w.t.Helper()
	for _, a := range adjectives {
		if a.english == english {
			return a
		}
	}
	w.t.Fatalf("no adjective %q", english)
	return nil
}

func many(p *phrase) *phrase { p.number = plural; return p }

func count(n int, p *phrase) *phrase {
	p.determiner, p.count = numeral, n
	if n != 1 {
		p.number = plural
	}
	return p
}

func of(owner, p *phrase) *phrase { p.owner = owner; return p }

func most(p *phrase) *phrase { p.superlative = true; return p }

func named(name string, g gender) *phrase { return &phrase{name: name, gender: g} }

var (
	i     = &phrase{pronoun: first}
	you   = &phrase{pronoun: second}
	we    = &phrase{pronoun: first, number: plural}
	he    = &phrase{pronoun: third}
	she   = &phrase{pronoun: third, gender: feminine}
	they  = &phrase{pronoun: third, number: plural}
	it    = &phrase{pronoun: impersonal}
	paul  = named("Paul", masculine)
	alice = named("Alice", feminine)
)

func TestMeaningsAreSaidAsAPersonWouldSayThem(t *testing.T) {
	w := writer{t}
	simple := func(c *clause) *Sentence { return &Sentence{main: c, contracted: true} }
	do := func(subject *phrase, tn tense, v *verb, object *phrase) *clause {
		return &clause{subject: subject, verb: v, tense: tn, object: object}
	}
	is := func(subject *phrase, tn tense, adjective string) *clause {
		return &clause{subject: subject, verb: copula, tense: tn, adjective: w.adjective(adjective)}
	}
	compare := func(c *clause, d degree, than *phrase) *clause { c.degree, c.than = d, than; return c }
	polar := func(p polarity, c *clause) *clause { c.polarity = p; return c }
	with := func(m modal, c *clause) *clause { c.modal = m; return c }
	to := func(r *phrase, c *clause) *clause { c.recipient = r; return c }
	gapped := func(g gap, c *clause) *clause { c.gap = g; return c }
	relative := func(p *phrase, c *clause) *phrase { q := *p; q.relative = c; return &q }
	at := func(english, french string, p *phrase, c *clause) *clause {
		c.where = &placeAdjunct{preposition{english, french}, p}
		return c
	}
	on := func(english, french string, front bool, c *clause) *clause {
		c.when = &timeAdjunct{english, french, front}
		return c
	}
	ask := func(m mood, c *clause) *Sentence { return &Sentence{mood: m, main: c, contracted: true} }
	join := func(c *clause, l link, d *clause) *Sentence {
		return &Sentence{main: c, link: l, second: d, contracted: true}
	}
	first := func(s *Sentence) *Sentence { s.linkFirst = true; return s }
	eat, buy, see := w.verb("eat", ""), w.verb("buy", ""), w.verb("see", "")
	apple, woman := w.np(the, "apple"), w.np(the, "woman")
	thing := func(g gender, n number) *phrase { return &phrase{pronoun: thingPronoun, gender: g, number: n} }

	for _, test := range []struct {
		sentence        *Sentence
		english, french string
	}{
		// Articles, adjectives and their places.
		{simple(do(paul, present, see, w.np(indefinite, "house", "beautiful", "old", "red"))), "Paul sees a beautiful old red house.", "Paul voit une belle vieille maison rouge."},
		{simple(do(she, present, buy, w.np(indefinite, "car", "red", "Italian"))), "She buys a red Italian car.", "Elle achète une voiture italienne rouge."},
		{simple(do(i, present, see, w.np(indefinite, "hotel", "beautiful"))), "I see a beautiful hotel.", "Je vois un bel hôtel."},
		{simple(do(i, present, see, w.np(the, "bird", "old"))), "I see the old bird.", "Je vois le vieil oiseau."},
		{simple(do(we, present, see, w.np(this, "plane", "new"))), "We see this new plane.", "Nous voyons ce nouvel avion."},
		{simple(do(we, present, see, w.np(this, "hospital"))), "We see this hospital.", "Nous voyons cet hôpital."},
		{simple(do(he, present, see, many(w.np(this, "horse", "white")))), "He sees these white horses.", "Il voit ces chevaux blancs."},
		{simple(do(paul, present, buy, many(w.np(indefinite, "book", "beautiful")))), "Paul buys some beautiful books.", "Paul achète de beaux livres."},
		{simple(do(paul, present, buy, many(w.np(indefinite, "shirt", "white")))), "Paul buys some white shirts.", "Paul achète des chemises blanches."},
		{simple(do(they, present, w.verb("hate", ""), w.np(bare, "coffee"))), "They hate coffee.", "Ils détestent le café."},
		{simple(do(they, present, w.verb("like", ""), many(w.np(bare, "newspaper", "royal")))), "They like royal newspapers.", "Ils aiment les journaux royaux."},
		{simple(do(he, present, see, most(many(w.np(the, "cow", "dangerous"))))), "He sees the most dangerous cows.", "Il voit les vaches les plus dangereuses."},
		{simple(do(he, present, eat, most(w.np(the, "jam", "good")))), "He eats the best jam.", "Il mange la meilleure confiture."},
		{simple(is(w.np(every, "aunt"), present, "happy")), "Every aunt is happy.", "Chaque tante est heureuse."},
		{simple(is(many(w.np(all, "cat")), present, "jealous")), "All the cats are jealous.", "Tous les chats sont jaloux."},
		{simple(is(&phrase{name: "Marie", gender: feminine, and: alice}, past, "kind")), "Marie and Alice were kind.", "Marie et Alice étaient gentilles."},
		{simple(is(&phrase{name: "Marie", gender: feminine, and: paul}, future, "proud")), "Marie and Paul will be proud.", "Marie et Paul seront fiers."},
		// Partitives, elision, contraction.
		{simple(do(i, present, w.verb("drink", ""), w.np(indefinite, "water"))), "I drink some water.", "Je bois de l'eau."},
		{simple(do(i, past, w.verb("drink", ""), w.np(indefinite, "milk"))), "I drank some milk.", "J'ai bu du lait."},
		{simple(do(you, present, w.verb("need", ""), w.np(indefinite, "water"))), "You need some water.", "Tu as besoin d'eau."},
		{simple(do(you, present, w.verb("need", ""), w.np(the, "coat"))), "You need the coat.", "Tu as besoin du manteau."},
		{simple(do(you, present, w.verb("be", "afraid of"), many(w.np(the, "bee")))), "You are afraid of the bees.", "Tu as peur des abeilles."},
		{simple(do(she, past, w.verb("go", "to"), w.np(the, "market"))), "She went to the market.", "Elle est allée au marché."},
		{simple(do(they, past, w.verb("come", "from"), w.np(the, "school"))), "They came from the school.", "Ils sont venus de l'école."},
		{simple(do(paul, future, w.verb("return", "to"), &phrase{name: "Wolfbridge", place: "Pontloup"})), "Paul will return to Wolfbridge.", "Paul retournera à Pontloup."},
		{simple(do(paul, present, gaming, many(w.np(bare, "chess")))), "Paul plays chess.", "Paul joue aux échecs."},
		{simple(do(paul, present, musicMaking, w.np(the, "piano"))), "Paul plays the piano.", "Paul joue du piano."},
		{simple(at("near", "près de", many(w.np(the, "castle")), do(we, present, w.verb("work", ""), nil))), "We work near the castles.", "Nous travaillons près des châteaux."},
		{simple(do(we, present, see, w.np(the, "owl"))), "We see the owl.", "Nous voyons le hibou."},
		// Owners.
		{simple(do(he, present, see, of(i, w.np(possessive, "school")))), "He sees my school.", "Il voit mon école."},
		{simple(do(he, present, see, of(i, w.np(possessive, "school", "new")))), "He sees my new school.", "Il voit ma nouvelle école."},
		{simple(do(he, present, see, of(alice, w.np(genitive, "cat", "old")))), "He sees Alice's old cat.", "Il voit le vieux chat d'Alice."},
		{simple(do(he, present, see, of(many(w.np(the, "king")), w.np(genitive, "castle")))), "He sees the kings' castle.", "Il voit le château des rois."},
		{simple(do(she, present, w.verb("speak", "to"), of(w.np(the, "baker"), w.np(genitive, "brother")))), "She speaks to the baker's brother.", "Elle parle au frère du boulanger."},
		// Pronouns and participles.
		{simple(do(paul, past, see, she)), "Paul saw her.", "Paul l'a vue."},
		{simple(do(paul, perfect, see, they)), "Paul has seen them.", "Paul les a vus."},
		{simple(polar(not, do(i, past, see, you))), "I didn't see you.", "Je ne t'ai pas vu."},
		{simple(do(paul, present, w.verb("answer", ""), she)), "Paul answers her.", "Paul lui répond."},
		{simple(to(they, do(i, past, w.verb("give", ""), w.np(the, "key")))), "I gave them the key.", "Je leur ai donné la clé."},
		{simple(to(w.np(the, "boy"), do(i, future, w.verb("send", ""), w.np(indefinite, "letter")))), "I will send a letter to the boy.", "J'enverrai une lettre au garçon."},
		{simple(with(can, polar(not, do(we, present, w.verb("help", ""), he)))), "We can't help him.", "Nous ne pouvons pas l'aider."},
		{simple(with(wantTo, polar(not, do(we, present, w.verb("wake", "up"), nil)))), "We don't want to wake up.", "Nous ne voulons pas nous réveiller."},
		{simple(with(goingTo, do(i, present, w.verb("leave", ""), nil))), "I am going to leave.", "Je vais partir."},
		{simple(do(alice, past, w.verb("get", "up"), nil)), "Alice got up.", "Alice s'est levée."},
		{simple(do(i, present, missing, she)), "I miss her.", "Elle me manque."},
		{simple(do(paul, future, missing, many(w.np(the, "girl")))), "Paul will miss the girls.", "Les filles manqueront à Paul."},
		{join(do(paul, past, buy, many(w.np(indefinite, "orange"))), and, gapped(subjectGap, do(paul, past, eat, thing(feminine, plural)))), "Paul bought some oranges and ate them.", "Paul a acheté des oranges et les a mangées."},
		// Negation.
		{simple(polar(not, do(paul, present, w.verb("have", ""), w.np(negated, "umbrella")))), "Paul doesn't have an umbrella.", "Paul n'a pas de parapluie."},
		{simple(polar(never, do(he, perfect, eat, many(w.np(negated, "onion"))))), "He has never eaten any onions.", "Il n'a jamais mangé d'oignons."},
		{simple(polar(noLonger, do(they, present, w.verb("sleep", ""), nil))), "They no longer sleep.", "Ils ne dorment plus."},
		{simple(do(paul, past, see, &phrase{pronoun: nobody})), "Paul saw nobody.", "Paul n'a vu personne."},
		{simple(do(paul, past, buy, &phrase{pronoun: nothing})), "Paul bought nothing.", "Paul n'a rien acheté."},
		{simple(do(&phrase{pronoun: nobody}, present, w.verb("laugh", ""), nil)), "Nobody laughs.", "Personne ne rit."},
		{simple(polar(not, at("on", "sur", w.np(the, "table"), &clause{subject: it, verb: existential, object: w.np(negated, "bread")}))), "There isn't any bread on the table.", "Il n'y a pas de pain sur la table."},
		// Questions.
		{ask(yesNo, do(he, present, eat, apple)), "Does he eat the apple?", "Est-ce qu'il mange la pomme ?"},
		{ask(askObject, gapped(objectGap, do(paul, continuous, eat, &phrase{pronoun: what}))), "What is Paul eating?", "Qu'est-ce que Paul mange ?"},
		{ask(askObject, gapped(objectGap, do(paul, past, buy, many(w.np(howMany, "apple"))))), "How many apples did Paul buy?", "Combien de pommes est-ce que Paul a achetées ?"},
		{ask(askObject, gapped(objectGap, do(she, past, w.verb("break", ""), w.np(which, "chair")))), "Which chair did she break?", "Quelle chaise est-ce qu'elle a cassée ?"},
		{ask(askSubject, do(&phrase{pronoun: who}, past, w.verb("close", ""), w.np(the, "door"))), "Who closed the door?", "Qui a fermé la porte ?"},
		{ask(askWhere, do(they, past, w.verb("sleep", ""), nil)), "Where did they sleep?", "Où est-ce qu'ils ont dormi ?"},
		{ask(askWhy, is(you, present, "tired")), "Why are you tired?", "Pourquoi est-ce que tu es fatigué ?"},
		// Numbers, clock, weather.
		{simple(do(i, present, see, count(21, w.np(numeral, "cow")))), "I see twenty-one cows.", "Je vois vingt et une vaches."},
		{simple(do(w.np(the, "boat"), present, costing, count(4500, &phrase{noun: euros}))), "The boat costs four thousand five hundred euros.", "Le bateau coûte quatre mille cinq cents euros."},
		{simple(do(she, present, aging, count(31, &phrase{noun: years}))), "She is thirty-one years old.", "Elle a trente et un ans."},
		{simple(&clause{subject: it, verb: copula, hour: 12, minute: 45}), "It is a quarter to one.", "Il est une heure moins le quart."},
		{simple(&clause{subject: it, verb: copula, hour: 3, minute: 25}), "It is twenty-five past three.", "Il est trois heures vingt-cinq."},
		{simple(on("yesterday", "hier", true, do(it, past, w.verb("rain", ""), nil))), "Yesterday, it rained.", "Hier, il a plu."},
		{simple(do(it, past, measuring, count(0, &phrase{noun: degrees}))), "It was zero degrees.", "Il faisait zéro degré."},
		{simple(do(alice, present, w.verb("be", "sleepy"), nil)), "Alice is sleepy.", "Alice a sommeil."},
		// Comparison.
		{simple(compare(is(alice, present, "tall"), more, he)), "Alice is taller than him.", "Alice est plus grande que lui."},
		{simple(compare(is(w.np(the, "soup"), present, "good"), more, w.np(the, "rice"))), "The soup is better than the rice.", "La soupe est meilleure que le riz."},
		{simple(compare(is(we, past, "lazy"), equally, alice)), "We were as lazy as Alice.", "Nous étions aussi paresseux qu'Alice."},
		{simple(do(alice, present, copula, w.np(noArticle, "actress"))), "Alice is an actress.", "Alice est actrice."},
		// Clauses in clauses.
		{simple(do(relative(apple, gapped(objectGap, do(paul, past, eat, apple))), past, costing, count(2, &phrase{noun: euros}))), "The apple that Paul ate cost two euros.", "La pomme que Paul a mangée coûtait deux euros."},
		{simple(do(relative(woman, gapped(subjectGap, do(woman, present, w.verb("sell", ""), many(w.np(indefinite, "egg"))))), past, w.verb("leave", ""), nil)), "The woman who sells some eggs left.", "La femme qui vend des œufs est partie."},
		{join(do(she, present, w.verb("think", ""), nil), that, is(he, past, "tired")), "She thinks that he was tired.", "Elle pense qu'il était fatigué."},
		{first(join(do(alice, future, w.verb("leave", ""), nil), when, do(paul, whenFuture, w.verb("arrive", ""), nil))), "When Paul arrives, Alice will leave.", "Quand Paul arrivera, Alice partira."},
		{join(do(i, future, w.verb("laugh", ""), nil), ifLink, do(they, present, w.verb("fall", ""), nil)), "I will laugh if they fall.", "Je rirai s'ils tombent."},
		{join(is(w.np(the, "car"), present, "old"), but, is(thing(feminine, singular), present, "expensive")), "The car is old, but it is expensive.", "La voiture est vieille, mais elle est chère."},
		{join(do(he, pastContinuous, eat, nil), because, do(he, past, w.verb("be", "hungry"), nil)), "He was eating because he was hungry.", "Il mangeait parce qu'il avait faim."},
		{simple(do(we, usedTo, eat, w.np(bare, "bread"))), "We used to eat bread.", "Nous mangions le pain."},
	} {
		if got := test.sentence.English(); got != test.english {
			t.Errorf("said %q, want %q", got, test.english)
		}
		if got := test.sentence.French(); got != test.french {
			t.Errorf("said %q for %q, want %q", got, test.english, test.french)
		}
	}
}
