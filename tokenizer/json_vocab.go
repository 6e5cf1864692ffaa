package tokenizer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// vocabulary is the model's tokens, in the order of their ids.
type vocabulary []vocabEntry

type vocabEntry struct {
	token string
	id    int32
}

// UnmarshalJSONFrom reads an object of token to id.
func (v *vocabulary) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return errors.New("not an object")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	var names stringList
	for d.PeekKind() != '}' {
		if err := names.read(d); err != nil {
			return err
		}
		number, err := d.ReadValue()
		if err != nil {
			return err
		}
		id, err := strconv.ParseInt(string(number), 10, 32)
		if err != nil {
			return fmt.Errorf("an id is %.20s", number)
		}
		*v = append(*v, vocabEntry{id: int32(id)})
	}
	i := 0
	for token := range names.all() {
		(*v)[i].token = token
		i++
	}
	_, err := d.ReadToken()
	return err
}

// stringList collects the many strings of a file in one piece of memory.
type stringList struct {
	text []byte
	ends []int
}

// read adds the string that comes next.
func (l *stringList) read(d *jsontext.Decoder) error {
	if k := d.PeekKind(); k != '"' && k != 0 { // 0: the error that ReadValue returns
		return fmt.Errorf("not expected to be a %v instead of a string", k)
	}
	quoted, err := d.ReadValue()
	if err != nil {
		return err
	}
	if l.text, err = jsontext.AppendUnquote(l.text, quoted); err != nil {
		return err
	}
	l.ends = append(l.ends, len(l.text))
	return nil
}

// all yields the strings in their order.
func (l *stringList) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		text, begin := string(l.text), 0
		for _, end := range l.ends {
			if !yield(text[begin:end]) {
				return
			}
			begin = end
		}
	}
}

// MarshalJSONTo writes the object in the order of the ids.
func (v vocabulary) MarshalJSONTo(e *jsontext.Encoder) error {
	sorted := slices.SortedFunc(slices.Values(v), func(a, b vocabEntry) int { return cmp.Compare(a.id, b.id) })
	tokens := []jsontext.Token{jsontext.BeginObject}
	for _, entry := range sorted {
		tokens = append(tokens, jsontext.String(entry.token), jsontext.Int(int64(entry.id)))
	}
	return write(e, append(tokens, jsontext.EndObject))
}

func write(e *jsontext.Encoder, tokens []jsontext.Token) error {
	for _, t := range tokens {
		if err := e.WriteToken(t); err != nil {
			return err
		}
	}
	return nil
}

// mergeList is the merges in the order of their ranks.
type mergeList []mergePair

type mergePair struct{ left, right string }

// UnmarshalJSONFrom reads the merges as pairs, or as the older "left right".
func (l *mergeList) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' {
		return errors.New("not a list")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	var parts stringList
	for d.PeekKind() != ']' {
		if err := readMerge(d, &parts); err != nil {
			return err
		}
	}
	*l = make(mergeList, 0, len(parts.ends)/2)
	left, isLeft := "", true
	for part := range parts.all() {
		if isLeft {
			left = part
		} else {
			*l = append(*l, mergePair{left, part})
		}
		isLeft = !isLeft
	}
	_, err := d.ReadToken()
	return err
}

// readMerge adds the two parts of a merge.
func readMerge(d *jsontext.Decoder, parts *stringList) error {
	if d.PeekKind() == '"' {
		return parts.readJoined(d)
	}
	if k := d.PeekKind(); k != '[' && k != 0 {
		return errors.New("neither a pair nor a string")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for range 2 {
		if err := parts.read(d); err != nil {
			return err
		}
	}
	if d.PeekKind() != ']' {
		return errors.New("not two tokens")
	}
	_, err := d.ReadToken()
	return err
}

// readJoined adds two strings that are written as one with a space between.
func (l *stringList) readJoined(d *jsontext.Decoder) error {
	begin := len(l.text)
	if err := l.read(d); err != nil {
		return err
	}
	joined := l.text[begin:]
	space := bytes.IndexByte(joined, ' ')
	if space < 0 || bytes.Count(joined, []byte(" ")) > 1 {
		return fmt.Errorf("%q is not two tokens with a space between", joined)
	}
	l.text = slices.Delete(l.text, begin+space, begin+space+1)
	l.ends[len(l.ends)-1] = begin + space
	l.ends = append(l.ends, len(l.text))
	return nil
}

// MarshalJSONTo writes the merges as pairs.
func (l mergeList) MarshalJSONTo(e *jsontext.Encoder) error {
	tokens := []jsontext.Token{jsontext.BeginArray}
	for _, p := range l {
		tokens = append(tokens, jsontext.BeginArray, jsontext.String(p.left), jsontext.String(p.right), jsontext.EndArray)
	}
	return write(e, append(tokens, jsontext.EndArray))
}

// scoreList is the pieces of a Unigram model with their scores.
type scoreList []scoredPiece

type scoredPiece struct {
	token string
	score float64
}

// UnmarshalJSONFrom reads a list of [token, score].
func (l *scoreList) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' {
		return errors.New("not a list")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	var names stringList
	for d.PeekKind() != ']' {
		score, err := readScored(d, &names)
		if err != nil {
			return err
		}
		*l = append(*l, scoredPiece{score: score})
	}
	i := 0
	for token := range names.all() {
		(*l)[i].token = token
		i++
	}
	_, err := d.ReadToken()
	return err
}

// readScored adds the token of a pair and returns its score.
func readScored(d *jsontext.Decoder, names *stringList) (float64, error) {
	if k := d.PeekKind(); k != '[' && k != 0 {
		return 0, errors.New("not a token and its score")
	}
	if _, err := d.ReadToken(); err != nil {
		return 0, err
	}
	if err := names.read(d); err != nil {
		return 0, err
	}
	number, err := d.ReadValue()
	if err != nil {
		return 0, err
	}
	score, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return 0, fmt.Errorf("a score is %.20s", number)
	}
	if d.PeekKind() != ']' {
		return 0, errors.New("not a token and its score")
	}
	_, err = d.ReadToken()
	return score, err
}
