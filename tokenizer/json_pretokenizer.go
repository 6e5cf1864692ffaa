package tokenizer

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// byteLevelFile is the ByteLevel part of the format, which is a pre-tokenizer, a
// post-processor (for offsets alone) and a decoder in one.
type byteLevelFile struct {
	Type           string `json:"type"`
	AddPrefixSpace *bool  `json:"add_prefix_space"`
	TrimOffsets    *bool  `json:"trim_offsets"`
	UseRegex       *bool  `json:"use_regex"`
}

// preTokenizer sets up how parts are cut into words, and reports whether words are
// bytes.
func (f *file) preTokenizer(t *Tokenizer) (byteLevel bool, err error) {
	var r preTokenizerReader
	if !null(f.PreTokenizer) {
		if err := r.read(f.PreTokenizer, true); err != nil {
			return false, fmt.Errorf("pre_tokenizer: %w", err)
		}
	}
	t.steps, t.words = r.steps, newSplitter(uncut)
	if n := len(t.steps); n > 0 {
		if c, ok := t.steps[n-1].(cut); ok && c.behavior == isolated && !c.invert {
			if s, ok := c.finder.(splitter); ok {
				t.steps, t.words = t.steps[:n-1], s
			}
		}
	}
	return r.byteLevel, nil
}

// preTokenizerReader collects the steps of a pre-tokenizer.
type preTokenizerReader struct {
	steps     []step
	byteLevel bool
}

func (r *preTokenizerReader) add(s ...step) { r.steps = append(r.steps, s...) }

// addPattern adds a step that makes a part of every word of a pattern.
func (r *preTokenizerReader) addPattern(p Pattern) {
	r.add(cut{newSplitter(p), isolated, false})
}

// read adds a part of the file; last is set if none follows it.
func (r *preTokenizerReader) read(part jsontext.Value, last bool) error {
	name, err := kind(part)
	if err != nil {
		return err
	}
	if r.byteLevel {
		return fmt.Errorf("%s after ByteLevel is not supported", name)
	}
	switch name {
	case "Sequence":
		return r.readSequence(part, last)
	case "ByteLevel":
		err = r.readByteLevel(part)
	case "Split":
		err = r.readSplit(part)
	case "Metaspace":
		err = r.readMetaspace(part)
	case "Digits":
		err = r.readDigits(part)
	case "Punctuation":
		err = r.readPunctuation(part)
	case "BertPreTokenizer":
		if last {
			r.addPattern(bertWords)
		} else {
			r.add(cut{runeFinder(unicode.IsSpace), removed, false}, cut{runeFinder(punctuation), isolated, false})
		}
		err = decode(part, "", &typed{})
	case "Whitespace":
		r.add(cut{wordOrSigns{}, removed, true})
		err = decode(part, "", &typed{})
	case "WhitespaceSplit":
		r.add(cut{runeFinder(unicode.IsSpace), removed, false})
		err = decode(part, "", &typed{})
	case "CharDelimiterSplit":
		err = r.readDelimiter(part)
	default:
		return fmt.Errorf("type %q is not supported", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *preTokenizerReader) readSequence(part jsontext.Value, last bool) error {
	var s struct {
		Type          string           `json:"type"`
		PreTokenizers []jsontext.Value `json:"pretokenizers"`
	}
	if err := decode(part, "Sequence", &s); err != nil {
		return err
	}
	for i, p := range s.PreTokenizers {
		if err := r.read(p, last && i == len(s.PreTokenizers)-1); err != nil {
			return inSequence(i, err)
		}
	}
	return nil
}

func (r *preTokenizerReader) readByteLevel(part jsontext.Value) error {
	var b byteLevelFile
	if err := decode(part, "", &b); err != nil {
		return err
	}
	if b.AddPrefixSpace == nil || *b.AddPrefixSpace {
		r.add(prefixSpace{})
	}
	if b.UseRegex == nil || *b.UseRegex {
		r.addPattern(GPT2)
	}
	r.byteLevel = true
	return nil
}

const (
	spacesRegex = ` ?\S+|\s+`
	gpt2Regex   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Regex = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwenRegex   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// knownRegexes are the regular expressions that Parley has code for, in all spellings
// that are published.
var knownRegexes = map[string]Pattern{
	spacesRegex: Spaces,

	gpt2Regex: GPT2,
	`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:         GPT2,
	`'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`: GPT2,
	`(?:'s|'t|'re|'ve|'m|'ll|'d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:  GPT2,
	`'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:  GPT2,

	llama3Regex: llama3,
	`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`:         llama3,
	`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`: llama3,

	qwenRegex: qwen,
}

func (r *preTokenizerReader) readSplit(part jsontext.Value) error {
	var s struct {
		Type     string      `json:"type"`
		Pattern  patternFile `json:"pattern"`
		Behavior behavior    `json:"behavior"`
		Invert   bool        `json:"invert"`
	}
	if err := decode(part, "", &s); err != nil {
		return err
	}
	if err := errors.Join(s.Pattern.check(), s.Behavior.check()); err != nil {
		return err
	}
	if s.Pattern.String != nil {
		r.add(cut{stringFinder(*s.Pattern.String), s.Behavior, s.Invert})
		return nil
	}
	p, known := knownRegexes[*s.Pattern.Regex]
	// These cover every text with matches.
	if known && (s.Behavior == isolated || s.Behavior == removed && s.Invert) {
		r.addPattern(p)
		return nil
	}
	re, err := newRegex(*s.Pattern.Regex)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	r.add(cut{re, s.Behavior, s.Invert})
	return nil
}

func (b behavior) check() error {
	switch b {
	case isolated, removed, contiguous, mergedWithPrevious, mergedWithNext:
		return nil
	}
	return fmt.Errorf("behavior %q is not supported", b)
}

// metaspaceFile is the Metaspace part, which is a pre-tokenizer and a decoder. Older
// files have add_prefix_space in place of the scheme.
type metaspaceFile struct {
	Type           string        `json:"type"`
	Replacement    string        `json:"replacement"`
	StrRep         string        `json:"str_rep"`
	AddPrefixSpace *bool         `json:"add_prefix_space"`
	PrependScheme  *prefixScheme `json:"prepend_scheme"`
	Split          *bool         `json:"split"`
}

func readMetaspaceFile(part jsontext.Value) (m metaspace, split bool, err error) {
	var f metaspaceFile
	if err := decode(part, "", &f); err != nil {
		return m, false, err
	}
	if utf8.RuneCountInString(f.Replacement) != 1 {
		return m, false, fmt.Errorf("replacement: must be one character, not %q", f.Replacement)
	}
	m = metaspace{f.Replacement, prefixAlways}
	prefixed := f.AddPrefixSpace == nil || *f.AddPrefixSpace
	switch {
	case f.PrependScheme != nil:
		m.scheme = *f.PrependScheme
		if !prefixed && m.scheme != prefixNever {
			return m, false, fmt.Errorf("add_prefix_space is false, but prepend_scheme %q", m.scheme)
		}
	case !prefixed:
		m.scheme = prefixNever
	}
	switch m.scheme {
	case prefixAlways, prefixFirst, prefixNever:
	default:
		return m, false, fmt.Errorf("prepend_scheme %q is not supported", m.scheme)
	}
	return m, f.Split == nil || *f.Split, nil
}

func (r *preTokenizerReader) readMetaspace(part jsontext.Value) error {
	m, split, err := readMetaspaceFile(part)
	if err != nil {
		return err
	}
	r.add(m)
	switch {
	case split && m.sign == underline:
		r.addPattern(metaspaceWords)
	case split:
		r.add(cut{stringFinder(m.sign), mergedWithNext, false})
	}
	return nil
}

func (r *preTokenizerReader) readDigits(part jsontext.Value) error {
	var d struct {
		Type       string `json:"type"`
		Individual bool   `json:"individual_digits"`
	}
	if err := decode(part, "", &d); err != nil {
		return err
	}
	classes := classesOnce()
	c := cut{runeFinder(func(r rune) bool { return classes.of(r) == number }), contiguous, false}
	if d.Individual {
		c.behavior = isolated
	}
	r.add(c)
	return nil
}

func (r *preTokenizerReader) readPunctuation(part jsontext.Value) error {
	p := struct {
		Type     string   `json:"type"`
		Behavior behavior `json:"behavior"`
	}{Behavior: isolated}
	if err := decode(part, "", &p); err != nil {
		return err
	}
	r.add(cut{runeFinder(punctuation), p.Behavior, false})
	return p.Behavior.check()
}

func (r *preTokenizerReader) readDelimiter(part jsontext.Value) error {
	var d struct {
		Type      string `json:"type"`
		Delimiter string `json:"delimiter"`
	}
	if err := decode(part, "", &d); err != nil {
		return err
	}
	if d.Delimiter == "" {
		return errors.New("delimiter: missing")
	}
	r.add(cut{stringFinder(d.Delimiter), removed, false})
	return nil
}
