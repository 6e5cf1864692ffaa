package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
		why := append([]string{"there is nothing to compare: no two answers to one prompt that somebody has judged"}, r.out.Notes()...)
		return nil, fmt.Errorf("%s: %s", strings.Join(names, ", "), strings.Join(why, "; "))
	}
	return &r.out, nil
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
