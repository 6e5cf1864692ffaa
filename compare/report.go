package compare

import (
	"slices"

	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/sandbox"
)

// Score is how one model answers the questions, or those of one kind. What could not be measured is nil.
type Score struct {
	Questions  int                       `json:"questions"`
	Exact      *eval.Accuracy            `json:"exact,omitempty"`      // answers that are right
	Wins       *eval.Preferences         `json:"wins,omitempty"`       // by the judge, against the baseline
	Utility    *eval.Sample              `json:"utility,omitempty"`    // by the judge's taste
	Reward     *eval.Sample              `json:"reward,omitempty"`     // by the reward model
	Labels     map[string]*eval.Accuracy `json:"labels,omitempty"`     // of each label the answers to which the classifier gives it
	Divergence *eval.Sample              `json:"divergence,omitempty"` // from the reference, in nats an answer
	Words      eval.Sample               `json:"words"`                // of an answer
	Tokens     eval.Sample               `json:"tokens"`               // of an answer
	Ended      eval.Accuracy             `json:"ended"`                // answers that end by themselves
	Repetition float64                   `json:"repetition"`           // share of 4-grams that occurred before in the answer
}

// Model is one model's answers and scores.
type Model struct {
	Name    string           `json:"model"`
	All     Score            `json:"all"`
	Kinds   map[string]Score `json:"kinds,omitempty"`
	Answers []Answer         `json:"-"` // to the questions, in their order
}

// Report is the outcome of a comparison.
type Report struct {
	Models   []Model  `json:"models"`
	Baseline string   `json:"baseline"` // the model against which the others won
	Kinds    []string `json:"-"`        // that occur, sorted
	Labels   []string `json:"-"`        // that the classifier gave, sorted

	Continued bool `json:"-"` // the questions are texts that the models went on with
}

// An Answer is what a model said to a question.
type Answer struct {
	Text   string `json:"text"`
	Tokens int    `json:"tokens"`
	Ended  bool   `json:"ended"`           // by itself
	Label  string `json:"label,omitempty"` // that the classifier gives to question and answer together
	ids    []int32

	LogRatio *float64 `json:"log_ratio,omitempty"` // of an answer that was drawn: log-probability by the model less that by the reference
	Reward   *float64 `json:"reward,omitempty"`    // by the reward model
}

// NewReport sums up what models, each with a name, have answered to questions; the sandbox's judge compares answers with those of
// the baseline.
func NewReport(questions []Question, names []string, answers [][]Answer, baseline int) *Report {
	r := &Report{Kinds: kindsOf(questions), Baseline: names[baseline], Labels: labelsOf(answers)}
	s := scorer{questions: questions, judge: sandbox.Judge{Taste: sandbox.DefaultTaste}, baseline: answers[baseline], labels: r.Labels}
	for i, name := range names {
		m := Model{Name: name, Answers: answers[i], Kinds: make(map[string]Score, len(r.Kinds))}
		s.compared = i != baseline
		m.All = s.score(answers[i], func(*Question) bool { return true })
		for _, kind := range r.Kinds {
			m.Kinds[kind] = s.score(answers[i], func(q *Question) bool { return q.Kind == kind })
		}
		r.Models = append(r.Models, m)
	}
	return r
}

// scorer sums up answers.
type scorer struct {
	questions []Question
	judge     sandbox.Judge
	baseline  []Answer
	compared  bool // with the baseline, which is not compared with itself
	labels    []string
}

// score sums up the answers to the chosen questions.
func (c *scorer) score(answers []Answer, chosen func(q *Question) bool) Score {
	var s Score
	for _, label := range c.labels {
		if s.Labels == nil {
			s.Labels = make(map[string]*eval.Accuracy, len(c.labels))
		}
		s.Labels[label] = new(eval.Accuracy)
	}
	repetition := eval.Repetition{N: 4}
	for i := range c.questions {
		q, a := &c.questions[i], answers[i]
		if !chosen(q) {
			continue
		}
		s.Questions++
		s.Words.Add(float64(words(a.Text)))
		s.Tokens.Add(float64(a.Tokens))
		s.Ended.Add(a.Ended)
		repetition.Add(a.Text)
		if right, known := q.exact(a.Text); known {
			made(&s.Exact).Add(right)
		}
		if q.checked != nil {
			utility := c.judge.Utility(q.checked, a.Text)
			made(&s.Utility).Add(utility)
			if c.compared {
				made(&s.Wins).Add(utility - c.judge.Utility(q.checked, c.baseline[i].Text))
			}
		}
		for label, share := range s.Labels {
			share.Add(a.Label == label)
		}
		if a.Reward != nil {
			made(&s.Reward).Add(*a.Reward)
		}
		if a.LogRatio != nil {
			made(&s.Divergence).Add(*a.LogRatio)
		}
	}
	s.Repetition = repetition.Share()
	return s
}

// made returns what a field points to, making it first.
func made[T any](field **T) *T {
	if *field == nil {
		*field = new(T)
	}
	return *field
}

// kindsOf lists the kinds of questions that there are.
func kindsOf(questions []Question) []string {
	var kinds []string
	for i := range questions {
		if k := questions[i].Kind; k != "" && !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// labelsOf lists the labels that answers have.
func labelsOf(answers [][]Answer) []string {
	var labels []string
	for _, list := range answers {
		for _, a := range list {
			if a.Label != "" && !slices.Contains(labels, a.Label) {
				labels = append(labels, a.Label)
			}
		}
	}
	slices.Sort(labels)
	return labels
}
