package sandbox

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
)

// A Part of the data has facts of its own: combinations of a person or thing with a place, of a person with a thing or
// a number, and of two people who are compared.
type Part string

const (
	// Train holds stories in which no held-out fact is ever true.
	Train Part = "train"
	// Validation holds other stories without held-out facts, and what people ask about them by themselves: of Train, what is hard to learn is
	// asked more often.
	Validation Part = "valid"
	// Unseen holds questions whose answers are held-out facts: never-seen combinations of words that are well known.
	Unseen Part = "test"
)

// Parts lists the parts of the data.
var Parts = []Part{Train, Validation, Unseen}

// A Village is a source of stories, and of questions and dialogues about them. What it gives at an index depends on the
// seed, the part and the index alone.
type Village struct {
	Seed uint64
	Part Part
}

// Streams of random numbers, one for each thing that a village gives.
const (
	questionStream = iota + 1
	dialogueStream
	documentStream
	answerStream
)

// builder returns the random choices of one item.
func (v Village) builder(stream, i int) *builder {
	return &builder{rand.New(rand.NewPCG(v.Part.mix(v.Seed), uint64(i)<<3|uint64(stream)))}
}

// mix returns the seed that a part uses.
func (p Part) mix(seed uint64) uint64 {
	for _, c := range []byte(p) {
		seed = seed*0x100000001b3 + uint64(c)
	}
	return seed
}

// A Question is what a person says to an assistant who answers questions about a story, and knows the right answer.
type Question struct {
	Kind     Kind
	Messages []chat.Message // the last is the user's
	ask      ask
	events   []event
	truth    string // "" where the story does not say
}

// Question returns the question at an index, now and then as the second of a dialogue.
func (v Village) Question(i int) *Question {
	b := v.builder(questionStream, i)
	q := v.firstQuestion(b)
	q.Messages = b.system()
	if q.ask.kind == Translate || !b.chance(20) {
		q.Messages = append(q.Messages, chat.Message{Role: chat.User, Content: b.userTurn(q.ask, q.events)})
		return q
	}
	before := v.question(b, v.drawKind(b), q.events)
	for before == nil || before.ask.kind == Translate || before.ask == q.ask {
		before = v.question(b, v.drawKind(b), q.events)
	}
	q.Messages = append(q.Messages, chat.Message{Role: chat.User, Content: b.userTurn(before.ask, q.events)}, chat.Message{Role: chat.Assistant, Content: b.answer(before, Careful)},
		chat.Message{Role: chat.User, Content: b.userTurn(q.ask, nil)})
	return q
}

// firstQuestion draws a story and something to ask about it. The stories of Train are those to learn from.
func (v Village) firstQuestion(b *builder) *Question {
	kind, story := v.drawKind(b), b.story
	if v.Part == Train {
		story = b.storyToTeach
	}
	for {
		if q := v.question(b, kind, story()); q != nil {
			return q
		}
	}
}

// drawKind draws what to ask.
func (v Village) drawKind(b *builder) Kind { return Kinds[b.weigh(27, 16, 15, 15, 12, 15)] }

// question draws something to ask about a story, or returns nil if there is nothing of the kind that belongs in the part.
func (v Village) question(b *builder, kind Kind, events []event) *Question {
	return b.oneOf(v.questions(b, kind, events))
}

// oneOf draws a question, or returns nil where there is none.
func (b *builder) oneOf(questions []*Question) *Question {
	if len(questions) == 0 {
		return nil
	}
	return pick(b, questions)
}

// questions lists what of a kind can be asked about a story and belongs in the part.
func (v Village) questions(b *builder, kind Kind, events []event) []*Question {
	s := stateAfter(events)
	if v.Part != Unseen && anyUnseen(s.facts) || kind == Unsaid && v.Part == Unseen && !anyUnseen(s.facts) {
		return nil
	}
	var list []*Question
	for _, a := range v.asks(b, events, s) {
		fits := a.kind == kind && a.known(s) && (v.Part == Unseen) == a.unseen(s)
		if kind == Unsaid {
			fits = !a.known(s)
		}
		if fits {
			list = append(list, &Question{Kind: kind, ask: a, events: events, truth: a.value(s)})
		}
	}
	return list
}

// unseen reports whether the answer, which the state gives, is held out of training.
func (a ask) unseen(s *state) bool {
	if a.kind == Translate {
		return anyUnseen(a.sentence.facts())
	}
	return unseen(a.fact(a.value(s)))
}

// asks lists what can be asked in the part: outside of Unseen not who of two is taller whose comparison is held out. Such a question would
// hold the combination, and since its answer is never known, teach that it never is.
func (v Village) asks(b *builder, events []event, s *state) []ask {
	return slices.DeleteFunc(b.asks(events, s), func(a ask) bool {
		return v.Part != Unseen && a.kind == Compare && unseen(orderFact(a.adjective, a.who, a.other))
	})
}

// asks lists what can be asked about a story, with and without an answer: each kind, of what occurs in it and, where
// somebody might think of it, of something that does not.
func (b *builder) asks(events []event, s *state) []ask {
	people, stuff := mentioned(events)
	var list []ask
	for _, who := range append(people, pick(b, villagers)) {
		list = append(list, ask{kind: Where, who: who})
		for _, food := range foods {
			if _, known := s.owned[stock{who, food}]; known || b.chance(10) {
				list = append(list, ask{kind: Count, who: who, thing: food})
			}
		}
		for _, other := range people {
			for _, a := range attributes {
				if who != other {
					list = append(list, ask{kind: Compare, who: who, other: other, adjective: a})
				}
			}
		}
	}
	for _, thing := range append(stuff, pick(b, things)) {
		list = append(list, ask{kind: Where, thing: thing})
		if s.lying[thing] == nil { // of what lies somewhere it is known that nobody has it
			list = append(list, ask{kind: Who, thing: thing})
		}
	}
	for _, e := range events {
		list = append(list, ask{kind: Translate, sentence: e})
	}
	return list
}

// mentioned lists the people and the things, but not the food, of a story.
func mentioned(events []event) (people []*name, stuff []*noun) {
	for _, e := range events {
		people = appendNew(appendNew(people, e.who), e.other)
		if e.count == 0 {
			stuff = appendNew(stuff, e.thing)
		}
	}
	return people, stuff
}

func appendNew[T any](list []*T, x *T) []*T {
	if x == nil {
		return list
	}
	for _, y := range list {
		if x == y {
			return list
		}
	}
	return append(list, x)
}

// tell says the events in English.
func tell(events []event) string {
	sentences := make([]string, len(events))
	for i, e := range events {
		sentences[i] = e.english()
	}
	return strings.Join(sentences, " ")
}
