package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
)

// Ranked is a prompt, answers to it that all differ, and how they were compared.
type Ranked struct {
	Prompt      string         // a text to be continued,
	Messages    []chat.Message // or a dialogue whose next turn is the assistant's
	Answers     []string
	Comparisons []Compared
	Group       string // what is held out together; "" without PreferenceFiles.Group
	Where       string // file:line of its first line

	key      string         // what makes two prompts the same
	compared map[[2]int]int // how a pair of answers was judged before: +1, −1, or 0 for both
}

// Compared is one judgement of two answers.
type Compared struct {
	Better, Worse int     // in Answers
	Tied          bool    // neither is better
	Margin        float64 // by how much, where that was said
}

// Preferences are rankings, each prompt once.
type Preferences struct {
	Prompts []*Ranked

	Comparisons  int // ties included
	Ties         int
	Identical    int // comparisons of an answer with itself, left out
	Empty        int // comparisons with an answer without anything in it, left out
	Contradicted int // comparisons that say the opposite of one before, kept: together they say that it is hard to tell
	Unjudged     int // lines without a judgement, left out
	First        []string
}

// PreferenceFiles says how files of preferences are to be read: [PreferenceFiles.Read].
type PreferenceFiles struct {
	Prompt     string // key of the prompt; "": "prompt"
	Group      string // key of what prompts are held out together by; "": each by itself
	GroupUntil string // a group's name ends before this, if it is in it
	Unjudged   bool   // answers that nobody has compared are wanted too
}

// Read reads preferences from JSONL, compressed or not. A line is one of
//
//	{"prompt": "…", "chosen": "…", "rejected": "…", "margin": 1}    as TRL has it, the margin optional
//	{"prompt": "…", "answers": ["…", "…", "…"], "ranks": [2, 1, 2]}  1 is best, equal ranks are a tie
//
// where a prompt is a text or a list of messages, and an answer a text, a list with the assistant's message, or an object with
// its text. TRL's lines without a prompt are read too: chosen and rejected are then dialogues of which the last message
// differs. All lines with the same prompt are put together. Errors say file and line.
func (f PreferenceFiles) Read(names []string) (*Preferences, error) {
	if f.Prompt == "" {
		f.Prompt = "prompt"
	}
	r := preferenceReader{PreferenceFiles: f, at: map[string]*Ranked{}}
	for _, name := range names {
		if err := EachLine(name, r.line); err != nil {
			return nil, err
		}
	}
	if !f.Unjudged {
		r.out.Prompts = slices.DeleteFunc(r.out.Prompts, func(p *Ranked) bool { return len(p.Comparisons) == 0 })
	}
	if len(r.out.Prompts) == 0 {
		return nil, fmt.Errorf("%s: there is nothing to compare: no two answers to one prompt that somebody has judged", strings.Join(names, ", "))
	}
	return &r.out, nil
}

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

// HoldOut parts the prompts by a hash of each, or of its group: a prompt's comparisons and a group's prompts stay together.
func (p *Preferences) HoldOut(seed uint64, share float64) (train, held *Preferences) {
	split := Split{Seed: seed, Share: share}
	return p.part(func(one *Ranked) bool {
		if one.Group != "" {
			return split.holdsOut(one.Group)
		}
		return split.holdsOut(one.key)
	})
}

// HoldOutGroups parts off the prompts of some groups.
func (p *Preferences) HoldOutGroups(groups []string) (train, held *Preferences) {
	return p.part(func(one *Ranked) bool { return slices.Contains(groups, one.Group) })
}

func (p *Preferences) part(hold func(one *Ranked) bool) (train, held *Preferences) {
	train, held = &Preferences{}, &Preferences{}
	for _, one := range p.Prompts {
		side := train
		if hold(one) {
			side = held
		}
		side.Prompts = append(side.Prompts, one)
		side.Comparisons += len(one.Comparisons)
		for _, c := range one.Comparisons {
			if c.Tied {
				side.Ties++
			}
		}
	}
	return train, held
}

// Groups returns the names of all groups, sorted.
func (p *Preferences) Groups() []string {
	var groups []string
	for _, one := range p.Prompts {
		if !slices.Contains(groups, one.Group) {
			groups = append(groups, one.Group)
		}
	}
	slices.Sort(groups)
	return groups
}

// LongestWins is the accuracy of preferring the longer answer, in characters, of those comparisons that are not ties; equal
// lengths count half.
func (p *Preferences) LongestWins() float64 {
	right, n := 0.0, 0
	for _, one := range p.Prompts {
		for _, c := range one.Comparisons {
			if c.Tied {
				continue
			}
			n++
			switch a, b := len([]rune(one.Answers[c.Better])), len([]rune(one.Answers[c.Worse])); {
			case a > b:
				right++
			case a == b:
				right += 0.5
			}
		}
	}
	return right / float64(max(1, n))
}

// Fingerprint is a hash of all prompts, answers and comparisons.
func (p *Preferences) Fingerprint() string {
	h := sha256.New()
	for _, one := range p.Prompts {
		fmt.Fprintf(h, "%q %q %v\n", one.key, one.Answers, one.Comparisons)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Notes tells what was left out or is odd, a line each.
func (p *Preferences) Notes() []string {
	var notes []string
	for _, n := range []struct {
		count int
		text  string
	}{
		{p.Unjudged, "%d lines without a judgement are left out"},
		{p.Empty, "%d comparisons with an answer without anything in it are left out"},
		{p.Identical, "%d comparisons of an answer with itself are left out"},
		{p.Contradicted, "%d comparisons say the opposite of one before; both are kept"},
	} {
		if n.count > 0 {
			notes = append(notes, fmt.Sprintf(n.text, n.count))
		}
	}
	if len(p.First) > 0 {
		notes = append(notes, "the first of these comparisons: "+strings.Join(p.First, ", "))
	}
	return notes
}
