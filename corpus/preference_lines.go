package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
)

type preferenceReader struct {
	PreferenceFiles
	out Preferences
	at  map[string]*Ranked // by the prompt
}

// preference is a line as it is spelled.
type preference struct {
	Chosen      json.RawMessage   `json:"chosen"`
	Rejected    json.RawMessage   `json:"rejected"`
	Margin      *float64          `json:"margin"`
	Answers     []json.RawMessage `json:"answers"`
	Ranks       []int             `json:"ranks"`
	CannotJudge bool              `json:"cannot_judge"`
}

func (r *preferenceReader) line(where string, line []byte) error {
	var p preference
	var keys map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(line, &p), json.Unmarshal(line, &keys)); err != nil {
		return fmt.Errorf("must be a JSON object with %q, \"chosen\" and \"rejected\", or \"answers\" and \"ranks\": %w", r.Prompt, err)
	}
	var answers []string
	prompt, asked := keys[r.Prompt]
	switch {
	case p.Chosen != nil || p.Rejected != nil:
		if p.Chosen == nil || p.Rejected == nil || p.Answers != nil {
			return errors.New(`"chosen" and "rejected" go together, and "answers" does not stand beside them`)
		}
		if !asked {
			var err error
			if prompt, p.Chosen, p.Rejected, err = splitDialogues(p.Chosen, p.Rejected); err != nil {
				return fmt.Errorf("there is no %q: %w", r.Prompt, err)
			}
		}
		p.Answers, p.Ranks = []json.RawMessage{p.Chosen, p.Rejected}, []int{1, 2}
	case p.Answers == nil:
		return errors.New(`there is neither "chosen" and "rejected" nor "answers" and "ranks"`)
	case !asked:
		return fmt.Errorf("there is no %q (data.prompt_field names the key of the prompt)", r.Prompt)
	}
	for i, raw := range p.Answers {
		text, err := answerText(raw)
		if err != nil {
			return fmt.Errorf("answer %d %w", i+1, err)
		}
		answers = append(answers, text)
	}
	if p.Ranks != nil && len(p.Ranks) != len(answers) {
		return fmt.Errorf("there are %d ranks for %d answers", len(p.Ranks), len(answers))
	}
	if p.Margin != nil && (math.IsInf(*p.Margin, 0) || *p.Margin < 0) {
		return fmt.Errorf("the margin is %g, must be at least 0", *p.Margin)
	}
	ranked, err := r.prompt(where, prompt, keys)
	if err != nil {
		return err
	}
	if p.Ranks == nil || p.CannotJudge {
		r.out.Unjudged++
		if r.Unjudged {
			ranked.take(answers)
		}
		return nil
	}
	r.compare(ranked, where, answers, p.Ranks, p.Margin)
	return nil
}

// prompt finds or makes the entry of a prompt.
func (r *preferenceReader) prompt(where string, raw json.RawMessage, keys map[string]json.RawMessage) (*Ranked, error) {
	ranked := &Ranked{Where: where, compared: map[[2]int]int{}}
	var err error
	if raw = bytes.TrimSpace(raw); bytes.HasPrefix(raw, []byte("[")) {
		err = json.Unmarshal(raw, &ranked.Messages)
		if n := len(ranked.Messages); err == nil && (n == 0 || ranked.Messages[n-1].Role == chat.Assistant) {
			err = errors.New("must end with a message that is not the assistant's")
		}
	} else {
		err = json.Unmarshal(raw, &ranked.Prompt)
	}
	if err != nil {
		return nil, fmt.Errorf("%q must be a text or a list of messages: %w", r.Prompt, err)
	}
	if r.Group != "" {
		group, ok := keys[r.Group]
		if !ok || json.Unmarshal(group, &ranked.Group) != nil {
			return nil, fmt.Errorf("there is no text under %q (data.group_field)", r.Group)
		}
		if r.GroupUntil != "" {
			ranked.Group, _, _ = strings.Cut(ranked.Group, r.GroupUntil)
		}
	}
	ranked.key = "t" + ranked.Prompt
	if ranked.Messages != nil {
		text, _ := json.Marshal(ranked.Messages)
		ranked.key = "m" + string(text)
	}
	if before := r.at[ranked.key]; before != nil {
		if before.Group != ranked.Group {
			return nil, fmt.Errorf("the prompt is of the group %q, at %s of %q: then the two cannot be held out apart", ranked.Group, before.Where, before.Group)
		}
		return before, nil
	}
	r.at[ranked.key] = ranked
	r.out.Prompts = append(r.out.Prompts, ranked)
	return ranked, nil
}

// take adds the answers that are new and not empty, and returns the number of each, −1 of an empty one.
func (p *Ranked) take(answers []string) []int {
	number := make([]int, len(answers))
	for i, text := range answers {
		if number[i] = slices.Index(p.Answers, text); number[i] < 0 && strings.TrimSpace(text) != "" {
			number[i] = len(p.Answers)
			p.Answers = append(p.Answers, text)
		}
	}
	return number
}

// compare notes what a ranking says of each two answers.
func (r *preferenceReader) compare(p *Ranked, where string, answers []string, ranks []int, margin *float64) {
	number := p.take(answers)
	for i := range answers {
		for j := i + 1; j < len(answers); j++ {
			c := Compared{Better: number[i], Worse: number[j], Tied: ranks[i] == ranks[j]}
			if ranks[i] > ranks[j] {
				c.Better, c.Worse = c.Worse, c.Better
			}
			if margin != nil && !c.Tied {
				c.Margin = *margin
			}
			switch {
			case min(c.Better, c.Worse) < 0:
				r.out.Empty++
			case c.Better == c.Worse:
				r.out.Identical++
			default:
				if !r.keep(p, c) {
					continue
				}
			}
			if len(r.out.First) < mostPlaces {
				r.out.First = append(r.out.First, where)
			}
		}
	}
}

// keep adds a comparison and reports whether it contradicts one before.
func (r *preferenceReader) keep(p *Ranked, c Compared) (contradicts bool) {
	p.Comparisons = append(p.Comparisons, c)
	r.out.Comparisons++
	if c.Tied {
		r.out.Ties++
		return false
	}
	pair, sign := [2]int{c.Better, c.Worse}, 1
	if c.Better > c.Worse {
		pair, sign = [2]int{c.Worse, c.Better}, -1
	}
	before, judged := p.compared[pair]
	if contradicts = judged && before != sign; contradicts {
		r.out.Contradicted++
		sign = 0
	}
	p.compared[pair] = sign
	return contradicts
}

// answerText reads an answer: a text, an object with one, or a list of the assistant's message.
func answerText(raw json.RawMessage) (string, error) {
	var text string
	var object struct{ Text *string }
	var messages []chat.Message
	switch raw = bytes.TrimSpace(raw); {
	case json.Unmarshal(raw, &text) == nil && bytes.HasPrefix(raw, []byte(`"`)):
		return text, nil
	case json.Unmarshal(raw, &object) == nil && object.Text != nil:
		return *object.Text, nil
	case json.Unmarshal(raw, &messages) == nil && len(messages) == 1 && messages[0].Role == chat.Assistant:
		return messages[0].Content, nil
	}
	return "", errors.New("must be a text, an object with \"text\", or a list of one message, the assistant's")
}

// splitDialogues takes two dialogues apart that differ in their last message.
func splitDialogues(chosen, rejected json.RawMessage) (prompt, a, b json.RawMessage, err error) {
	var x, y []json.RawMessage
	if json.Unmarshal(chosen, &x) != nil || json.Unmarshal(rejected, &y) != nil || len(x) < 2 || len(x) != len(y) {
		return nil, nil, nil, errors.New(`"chosen" and "rejected" must then be dialogues that differ in their last message`)
	}
	n := len(x) - 1
	for i := range n {
		var compact [2]bytes.Buffer
		if json.Compact(&compact[0], x[i]) != nil || json.Compact(&compact[1], y[i]) != nil || compact[0].String() != compact[1].String() {
			return nil, nil, nil, fmt.Errorf(`"chosen" and "rejected" differ in message %d already`, i+1)
		}
	}
	if prompt, err = json.Marshal(x[:n]); err != nil {
		return nil, nil, nil, err
	}
	a, err = json.Marshal(x[n:])
	if err != nil {
		return nil, nil, nil, err
	}
	b, err = json.Marshal(y[n:])
	return prompt, a, b, err
}
