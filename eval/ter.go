package eval

import (
	"fmt"
	"strings"
	"unicode"
)

// TER is the translation edit rate (Snover et al. 2006): the insertions,
// deletions, substitutions and shifts of word sequences that turn a hypothesis
// into its reference, per hundred words of reference. Lower is better. Shifts
// are searched as tercom does, with its limits. The zero value has sacrebleu's
// defaults.
type TER struct {
	Normalized    bool // cut punctuation off words, undo entities
	NoPunct       bool // leave out punctuation
	AsianSupport  bool // with Normalized, cut CJK text into characters; with NoPunct, leave out its punctuation
	CaseSensitive bool // do not lower-case
}

// TERDetail is what a TER score is made of.
type TERDetail struct {
	Edits     float64 `json:"num_edits"`
	RefLength float64 `json:"ref_length"` // words; of several references the mean
}

// Corpus scores a whole corpus: refs[k][i] is the k-th reference of hyps[i]. Of
// several references the one that needs the fewest edits counts.
func (t TER) Corpus(hyps []string, refs [][]string) (Score, error) {
	return corpus(t, hyps, refs)
}

// Sentence scores one sentence against its references.
func (t TER) Sentence(hyp string, refs []string) (Score, error) {
	return sentence(t, hyp, refs)
}

// Name is "TER".
func (t TER) Name() string { return "TER" }

// Settings are the fields of the signature that belong to TER.
func (t TER) Settings() string {
	return fmt.Sprintf("case:%s|tok:tercom|norm:%s|punct:%s|asian:%s",
		lowerOrMixed(!t.CaseSensitive), yesNo(t.Normalized), yesNo(!t.NoPunct), yesNo(t.AsianSupport))
}

// Statistics returns rows of two numbers: edits, and mean length of the
// references.
func (t TER) Statistics(hyps []string, refs [][]string) ([][]float64, error) {
	if err := checkCorpus(hyps, refs); err != nil {
		return nil, err
	}
	rows := newRows(len(hyps), 2)
	var edits editor
	var lines []string
	for i := range hyps {
		hyp := t.words(hyps[i])
		lines = referencesOf(lines[:0], refs, i)
		for k, line := range lines {
			ref := t.words(line)
			n := float64(edits.count(hyp, ref))
			if k == 0 || n < rows[i][0] {
				rows[i][0] = n
			}
			rows[i][1] += float64(len(ref))
		}
		rows[i][1] /= float64(len(lines))
	}
	return rows, nil
}

// Score computes TER from added-up statistics. Against empty references it is
// 100 if there is any edit.
func (t TER) Score(sum []float64) Score {
	s := Score{Metric: t.Name(), TER: &TERDetail{Edits: sum[0], RefLength: sum[1]}}
	switch {
	case sum[1] > 0:
		s.Value = 100 * (sum[0] / sum[1])
	case sum[0] > 0:
		s.Value = 100
	}
	return s
}

// words cuts a sentence as tercom does with these settings.
func (t TER) words(line string) []string {
	line = trimRight(line)
	if !t.CaseSensitive {
		line = lower(line)
	}
	if t.Normalized {
		line = normalizeTercom(line)
		if t.AsianSupport {
			line = string(separateRunes([]rune(line), isTercomAsian))
		}
	}
	if t.NoPunct {
		line = removeTercomPunct(line, t.AsianSupport)
	}
	return fields(line)
}

// normalizeTercom is the 13a tokenizer with two differences: it joins lines at
// "\n-" instead of "-\n", and cuts off a possessive 's.
func normalizeTercom(line string) string {
	line = strings.ReplaceAll(line, "\n-", "")
	line = strings.ReplaceAll(line, "\n", " ")
	line = replaceEntities(line)
	apart := string(separatePunctuation([]byte(" " + line + " ")))
	apart = strings.ReplaceAll(apart, "'s ", " 's ")
	return string(separateStops([]byte(apart)))
}

func removeTercomPunct(line string, asian bool) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`.,?:;!"()`, r) || asian && unicode.Is(tercomAsianPunct, r) {
			return -1
		}
		return r
	}, line)
}

func isTercomAsian(r rune) bool {
	return unicode.Is(tercomAsian, r) || unicode.Is(tercomAsianPunct, r)
}

// tercomAsian are the characters that stand apart with AsianSupport. Kana are
// not among them: the rules for them ask for a line that begins with kana, and
// normalisation puts a space before every line.
var tercomAsian = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x2e80, Hi: 0x2eff, Stride: 1}, // radicals
	{Lo: 0x31c0, Hi: 0x31ef, Stride: 1}, // strokes
	{Lo: 0x3200, Hi: 0x4dbf, Stride: 1}, // enclosed, compatibility, extension A
	{Lo: 0x4e00, Hi: 0x9fff, Stride: 1}, // unified ideographs
	{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, // compatibility ideographs
	{Lo: 0xfe30, Hi: 0xfe4f, Stride: 1}, // compatibility forms
}}

// tercomAsianPunct is CJK and full-width punctuation.
var tercomAsianPunct = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x3001, Hi: 0x3002, Stride: 1},
	{Lo: 0x3008, Hi: 0x3011, Stride: 1},
	{Lo: 0x3014, Hi: 0x301f, Stride: 1},
	{Lo: 0x30fb, Hi: 0x30fb, Stride: 1},
	{Lo: 0xff01, Hi: 0xff02, Stride: 1},
	{Lo: 0xff08, Hi: 0xff09, Stride: 1},
	{Lo: 0xff0c, Hi: 0xff0c, Stride: 1},
	{Lo: 0xff0e, Hi: 0xff0e, Stride: 1},
	{Lo: 0xff1a, Hi: 0xff1b, Stride: 1},
	{Lo: 0xff1f, Hi: 0xff1f, Stride: 1},
	{Lo: 0xff61, Hi: 0xff65, Stride: 1},
}}
