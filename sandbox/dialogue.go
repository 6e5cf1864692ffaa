package sandbox

import (
	"strings"

	"github.com/parley-lm/parley/chat"
)

// A Writer is a person who writes demonstrations for fine-tuning. Shares are from 0 to 1.
type Writer struct {
	Hasty   float64 // takes an earlier state of the story for the last one, where they differ
	Guesses float64 // answers all the same where the story does not say
	Errs    float64 // answers wrongly for no reason
	Wordy   float64 // adds words that nobody asked for
	Polite  float64 // adds a courtesy
	Whole   float64 // answers in a whole sentence
}

// Careful writes right answers; Careless writes as people do who are paid by the dialogue: wordy, and every other time with a guess
// where the story does not say. Who learns from the latter has much to gain from being told which of two answers is better.
var (
	Careful  = Writer{Wordy: 0.2, Polite: 0.3, Whole: 0.5}
	Careless = Writer{Hasty: 0.02, Guesses: 0.5, Errs: 0.01, Wordy: 0.4, Polite: 0.2, Whole: 0.6}
)

const (
	mostTurns = 8  // questions of a dialogue
	asserted  = 25 // percent of them to which somebody is said to know the answer
)

// Dialogue returns the dialogue at an index: up to mostTurns different questions about a story, or sentences to translate, with the
// writer's answers. Now and then somebody is said to know the answer, and the writer says whether that is right.
func (v Village) Dialogue(i int, w Writer) []chat.Message {
	b := v.builder(dialogueStream, i)
	first := v.firstToTeach(b, b.drawKindToTeach())
	asked, messages, events := []ask{}, b.system(), first.events
	for q := first; q != nil; events = nil {
		asked = append(asked, q.ask)
		question, answer := b.userTurn(q.ask, events), ""
		if q.ask.kind != Translate && b.chance(asserted) {
			guess, right := b.guess(q.ask, q.truth)
			question, answer = question+" "+strings.Join(guess, " "), b.judged(q, right)
		} else {
			answer = b.answer(q, w)
		}
		messages = append(messages, chat.Message{Role: chat.User, Content: question}, chat.Message{Role: chat.Assistant, Content: answer})
		q = v.nextQuestion(b, first, asked)
	}
	return messages
}

// nextQuestion draws what is asked after other questions in a dialogue, or returns nil at its end.
func (v Village) nextQuestion(b *builder, first *Question, asked []ask) *Question {
	for range mostTurns - len(asked) {
		kind := b.drawKindToTeach()
		if first.ask.kind == Translate {
			kind = Translate
		}
		if q := v.questionToTeach(b, kind, first.events, asked); q != nil {
			return q
		}
	}
	return nil
}

// Answers returns n answers of a writer to the question at an index.
func (v Village) Answers(i, n int, w Writer) []string {
	q, b := v.Question(i), v.builder(answerStream, i)
	answers := make([]string, n)
	for k := range answers {
		answers[k] = b.answer(q, w)
	}
	return answers
}

// answer is what the writer answers.
func (b *builder) answer(q *Question, w Writer) string {
	value := b.belief(q, w)
	var parts []string
	if b.happens(w.Wordy) {
		parts = append(parts, pick(b, fillers))
	}
	polite := b.happens(w.Polite)
	if polite && (value == "" || b.chance(70)) {
		openers := openings
		if value == "" {
			openers = regrets
		}
		parts, polite = append(parts, pick(b, openers)), false
	}
	switch {
	case value == "":
		parts = append(parts, pick(b, admissions))
	case b.happens(w.Whole):
		forms := q.ask.forms(value)
		parts = append(parts, forms[len(forms)-1])
	default:
		parts = append(parts, q.ask.forms(value)[0])
	}
	if polite {
		parts = append(parts, pick(b, closings))
	}
	return strings.Join(parts, " ")
}

// judged is what any writer answers, with care, who is told what somebody else takes to be the answer.
func (b *builder) judged(q *Question, right bool) string {
	switch {
	case q.truth == "":
		return pick(b, admissions)
	case right:
		return isRight + " " + q.Answer()
	default:
		return isWrong + " " + q.Answer()
	}
}

// belief is what the writer takes to be the answer; "" is not to know.
func (b *builder) belief(q *Question, w Writer) string {
	hasty, guessing, errs := b.happens(w.Hasty), b.happens(w.Guesses), b.happens(w.Errs)
	if hasty {
		if earlier := q.earlier(); earlier != "" {
			return earlier
		}
	}
	if q.truth == "" && guessing || q.truth != "" && errs {
		if others := guesses(q.ask, q.truth); len(others) > 0 {
			return pick(b, others)
		}
	}
	return q.truth
}

// earlier returns the last other answer that the question had before the story ended, or "".
func (q *Question) earlier() string {
	for n := len(q.events) - 1; n > 0; n-- {
		if value := q.ask.value(stateAfter(q.events[:n])); value != "" && value != q.truth {
			return value
		}
	}
	return ""
}

func (b *builder) happens(share float64) bool { return b.r.Float64() < share }
