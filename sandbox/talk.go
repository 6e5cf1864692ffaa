package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
)

// What people say to the assistant around their question, and what a system message says.
var (
	systemTexts = []string{"You are a helpful assistant.", "Answer questions about the story.", "Be brief and polite."}
	greetings   = []string{"Hello.", "Good morning.", "Please tell me:", "I have a question."}
	thanks      = []string{"Thank you.", "Thanks."}
)

// system draws a system message, or none.
func (b *builder) system() []chat.Message {
	if b.chance(70) {
		return nil
	}
	return []chat.Message{{Role: chat.System, Content: pick(b, systemTexts)}}
}

// userTurn says a question, after a story if there is one, now and then with forms of politeness.
func (b *builder) userTurn(a ask, events []event) string {
	var parts []string
	if len(events) > 0 && a.kind != Translate {
		parts = append(parts, tell(events))
	}
	if b.chance(20) {
		parts = append(parts, pick(b, greetings))
	}
	parts = append(parts, a.text())
	if b.chance(15) {
		parts = append(parts, pick(b, thanks))
	}
	return strings.Join(parts, " ")
}

// ReadQuestion understands a prompt that ends with a user's question: it reads the story from the user's messages and
// works out the answer. What it cannot read, or what contradicts itself, is an error that quotes the sentence.
func ReadQuestion(messages []chat.Message) (*Question, error) {
	if len(messages) == 0 || messages[len(messages)-1].Role != chat.User {
		return nil, errors.New("sandbox: the last message of a prompt must be the user's")
	}
	q := &Question{Messages: messages}
	s := newState()
	for i, m := range messages {
		if m.Role != chat.User {
			continue
		}
		asked, err := q.readTurn(m.Content, s)
		if err != nil {
			return nil, fmt.Errorf("sandbox: message %d: %w", i+1, err)
		}
		if asked == nil {
			return nil, fmt.Errorf("sandbox: message %d: there is no question that the sandbox knows in %q", i+1, m.Content)
		}
		q.ask = *asked
	}
	q.Kind, q.truth = q.ask.kind, q.ask.value(s)
	if q.truth == "" {
		q.Kind = Unsaid
	}
	return q, nil
}

// readTurn reads what a user says sentence by sentence, adds what happens to the state and returns what is asked.
func (q *Question) readTurn(text string, s *state) (*ask, error) {
	var asked *ask
	translate, quoted := false, false
	for _, sentence := range sentencesOf(text) {
		if quoted { // what somebody says to be so need not be so
			quoted = false
			continue
		}
		if who, says := strings.CutSuffix(sentence, saying); says && slices.ContainsFunc(villagers, func(n *name) bool { return n.text == who }) {
			quoted = true
			continue
		}
		event, happens := eventsByEnglish()[sentence]
		a, asks := asksByEnglish()[sentence]
		switch {
		case sentence == translateInto:
			translate = true
		case happens && translate:
			asked, translate = &ask{kind: Translate, sentence: event}, false
		case happens:
			if why := s.conflict(event); why != "" {
				return nil, fmt.Errorf("%q contradicts the story: %s", sentence, why)
			}
			s.apply(event)
			q.events = append(q.events, event)
		case asks:
			asked = &a
		case !isCourtesy(sentence):
			return nil, fmt.Errorf("the sandbox does not know the sentence %q", sentence)
		}
	}
	return asked, nil
}
