package sandbox

import (
	"slices"
	"strings"
	"sync"
)

// What an assistant can say around the answer. Courtesies are polite; fillers are only words.
var (
	openings   = []string{"Certainly.", "Of course.", "With pleasure."}
	regrets    = []string{"Sorry.", "I am sorry."}
	closings   = []string{"You are welcome.", "I hope that helps."}
	fillers    = []string{"That is a good question.", "Let me think.", "I have read the story.", "The answer is easy.", "Let me see."}
	admissions = []string{"I do not know.", "The story does not say.", "The story does not say that."}
)

// An Outcome is what a checker found an answer to be.
type Outcome string

const (
	Right      Outcome = "right"      // the fact, or that the story does not say where it does not
	Wrong      Outcome = "wrong"      // another fact, or two at once
	Guess      Outcome = "guess"      // a fact where the story does not say
	Unsure     Outcome = "unsure"     // says not to know where the story does say
	Unreadable Outcome = "unreadable" // not an answer to this question in the language of the sandbox
)

// A Verdict is what a checker read in an answer.
type Verdict struct {
	Outcome    Outcome `json:"outcome"`
	Courtesies int     `json:"courtesies"` // how many polite sentences
	Words      int     `json:"words"`
	Excess     int     `json:"excess"` // words more than the briefest right answer has
}

// Right reports whether the answer is exact: the fact, or that the story does not say where it does not.
func (v Verdict) Right() bool { return v.Outcome == Right }

// Check reads an answer. It is lenient about capitals, punctuation, politeness, fillers and every wording that the
// sandbox knows, and strict about the fact.
func (q *Question) Check(answer string) Verdict {
	v := Verdict{Outcome: Unreadable, Words: len(strings.Fields(answer))}
	v.Excess = max(0, v.Words-len(strings.Fields(q.Answer())))
	var values []string
	admits, readable := false, true
	known := q.readings()
	for _, sentence := range sentencesOf(answer) {
		plain := normal(sentence)
		value, ok := known[plain]
		switch {
		case isPolite(plain):
			v.Courtesies++
		case isFiller(plain):
		case isAdmission(plain):
			admits = true
		case ok || q.ask.kind == Translate:
			values = append(values, value)
		default:
			readable = false
		}
	}
	values = slices.Compact(values)
	switch {
	case !readable || len(values) == 0 && !admits:
	case len(values) > 1 || len(values) == 1 && admits:
		v.Outcome = Wrong
	case admits && q.truth == "":
		v.Outcome = Right
	case admits:
		v.Outcome = Unsure
	case q.truth == "":
		v.Outcome = Guess
	case values[0] == q.truth:
		v.Outcome = Right
	default:
		v.Outcome = Wrong
	}
	return v
}

// Answer returns the briefest right answer.
func (q *Question) Answer() string {
	if q.truth == "" {
		return admissions[0]
	}
	return q.ask.forms(q.truth)[0]
}

// readings maps every wording of every possible answer, normalised, to the value that it asserts.
func (q *Question) readings() map[string]string {
	known := map[string]string{}
	values := q.ask.values()
	if q.ask.kind == Translate {
		values = []string{q.truth}
	}
	for _, value := range values {
		for _, form := range append(q.ask.pronounForms(value), q.ask.forms(value)...) {
			known[normal(form)] = value
		}
	}
	return known
}

// sentencesOf cuts a text after full stops, question marks, exclamation marks and colons.
func sentencesOf(text string) []string {
	var sentences []string
	for text != "" {
		end := strings.IndexAny(text, ".?!:\n") + 1
		if end == 0 {
			end = len(text)
		}
		if s := strings.TrimSpace(text[:end]); s != "" {
			sentences = append(sentences, s)
		}
		text = text[end:]
	}
	return sentences
}

// normal is a sentence in lower case, with single spaces and without punctuation.
func normal(sentence string) string {
	words := strings.FieldsFunc(strings.ToLower(sentence), func(r rune) bool { return strings.ContainsRune(" \t.?!:,;\"", r) })
	return strings.ReplaceAll(strings.Join(words, " "), "don't", "do not")
}

type phraseSet func() map[string]bool

func normals(lists ...[]string) phraseSet {
	return sync.OnceValue(func() map[string]bool {
		set := map[string]bool{}
		for _, text := range slices.Concat(lists...) {
			set[normal(text)] = true
		}
		return set
	})
}

var (
	politeSet    = normals(openings, regrets, closings)
	fillerSet    = normals(fillers, []string{isRight, isWrong})
	admissionSet = normals(admissions, []string{"I do not know, the story does not say."})
	courtesySet  = normals(greetings, thanks)
)

func isPolite(plain string) bool      { return politeSet()[plain] }
func isFiller(plain string) bool      { return fillerSet()[plain] }
func isAdmission(plain string) bool   { return admissionSet()[plain] }
func isCourtesy(sentence string) bool { return courtesySet()[normal(sentence)] }
