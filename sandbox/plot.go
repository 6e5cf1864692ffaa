package sandbox

import "slices"

// Lengths of stories, in sentences.
const (
	shortestStory = 3
	longestStory  = 6
)

// A plot puts a story together: it draws threads, each of which tells in order of one thing or person, and tells them
// interleaved.
type plot struct {
	*builder
	walkers, others []*name // people who move about, and people who do the rest: nobody gives a key to somebody far away
	things          []*noun
	foods           []*noun
	rivalry         bool // each thread is about what can be mistaken for something in the one before
}

// The kinds of threads.
const (
	walking = iota
	lying
	handing
	carrying
	counting
	comparing
)

// rivals lists, for each kind of thread, those that are drawn after it where there is rivalry: as often as they stand here.
var rivals = [...][]int{
	walking:   {walking, lying, carrying}, // people and things are in places
	lying:     {walking, lying, carrying},
	handing:   {handing, carrying, carrying, counting}, // people have things
	carrying:  {walking, lying, handing, handing, carrying, counting},
	counting:  {counting, counting, handing},
	comparing: {comparing, walking, carrying}, // who is compared is nowhere, but others are
}

// story draws the events of a story.
func (b *builder) story() []event { return b.plotted(false) }

// storyToTeach draws the events of a story to learn from. In half of them several people or things have what can be mistaken for each
// other: two who walk, two who own plums. By itself that is so rare that a model gets through by naming what was said last.
func (b *builder) storyToTeach() []event { return b.plotted(b.chance(50)) }

func (b *builder) plotted(rivalry bool) []event {
	for {
		p := plot{builder: b, things: shuffled(b, things), foods: shuffled(b, foods), rivalry: rivalry}
		people := shuffled(b, villagers)
		p.walkers, p.others = people[:3], people[3:6]
		if events := p.interleave(); len(events) >= shortestStory && len(events) <= longestStory && possible(events) {
			return events
		}
	}
}

// interleave draws two or three threads and tells them at once.
func (p *plot) interleave() []event {
	tell := [...]func() []event{walking: p.walk, lying: p.lie, handing: p.hand, carrying: p.carry, counting: p.count, comparing: p.compare}
	weights := [...]int{walking: 22, lying: 10, handing: 18, carrying: 18, counting: 28, comparing: 16}
	var threads [][]event
	kind := 0
	for n := range 2 + p.weigh(60, 40) {
		if n > 0 && p.rivalry {
			kind = pick(p.builder, rivals[kind])
		} else {
			kind = p.weigh(weights[:]...)
		}
		weights[kind] /= 3
		threads = append(threads, tell[kind]())
	}
	var events []event
	for len(threads) > 0 {
		i := p.r.IntN(len(threads))
		events = append(events, threads[i][0])
		if threads[i] = threads[i][1:]; len(threads[i]) == 0 {
			threads = slices.Delete(threads, i, i+1)
		}
	}
	return events
}

// walk tells where somebody is and then goes.
func (p *plot) walk() []event {
	who, route := take(&p.walkers), shuffled(p.builder, places)
	events := []event{{kind: isAt, who: who, place: route[0]}}
	for i := range p.r.IntN(3) {
		events = append(events, event{kind: goes, who: who, place: route[i+1]})
	}
	return events
}

// lie tells where something is.
func (p *plot) lie() []event {
	return []event{{kind: lies, thing: take(&p.things), place: pick(p.builder, places)}}
}

// hand tells who has something and whom it is given to.
func (p *plot) hand() []event {
	thing, chain := take(&p.things), shuffled(p.builder, p.others)
	events := []event{{kind: has, who: chain[0], thing: thing}}
	for i := range p.r.IntN(3) {
		events = append(events, event{kind: gives, who: chain[i], other: chain[i+1], thing: thing})
	}
	return events
}

// carry tells of something that is taken along and perhaps left elsewhere.
func (p *plot) carry() []event {
	who, thing, route := take(&p.walkers), take(&p.things), shuffled(p.builder, places)
	events := []event{{kind: isAt, who: who, place: route[0]}, {kind: takes, who: who, thing: thing}, {kind: goes, who: who, place: route[1]}}
	if p.chance(50) {
		events = append(events, event{kind: leaves, who: who, thing: thing, place: route[1]})
	}
	return events
}

// count tells how many of a food somebody has, and what becomes of them.
func (p *plot) count() []event {
	food, who, other := take(&p.foods), p.others[0], p.others[1]
	ends := []int{20, 25, 25, 30} // how often each of those below
	if p.rivalry {
		owners := shuffled(p.builder, p.others)
		who, other = owners[0], owners[1]
		if p.chance(50) { // the next one counts the same food
			p.foods = append([]*noun{food}, p.foods...)
		}
		ends = []int{20, 15, 15, 50}
	}
	events := []event{{kind: owns, who: who, thing: food, count: p.number(1, mostOwned)}}
	change := event{who: who, thing: food, count: p.number(1, mostMoved)}
	switch p.weigh(ends...) {
	case 0:
		return events
	case 1:
		change.kind = eats
	case 2:
		change.kind = buys
	case 3:
		change.kind, change.other = givesSome, other
		events = append(events, event{kind: owns, who: other, thing: food, count: p.number(1, mostOwned-mostMoved)})
	}
	return append(events, change)
}

// compare tells who is taller or older.
func (p *plot) compare() []event {
	people, a := shuffled(p.builder, append(slices.Clone(p.walkers), p.others...)), pick(p.builder, attributes)
	events := []event{{kind: exceeds, who: people[0], other: people[1], adjective: a}}
	if p.chance(60) {
		events = append(events, event{kind: exceeds, who: people[1], other: people[2], adjective: a})
	}
	if p.chance(50) {
		slices.Reverse(events)
	}
	return events
}

// possible reports whether each event can happen after those before it, and nobody ends up with no food or too much.
func possible(events []event) bool {
	s := newState()
	for _, e := range events {
		if s.conflict(e) != "" {
			return false
		}
		s.apply(e)
	}
	for _, n := range s.owned {
		if n < 1 || n > mostOwned {
			return false
		}
	}
	return true
}

func shuffled[T any](b *builder, list []T) []T {
	s := slices.Clone(list)
	b.r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s
}

// take removes and returns the first of a list.
func take[T any](list *[]T) T {
	first := (*list)[0]
	*list = (*list)[1:]
	return first
}
