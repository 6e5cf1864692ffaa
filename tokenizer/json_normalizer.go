package tokenizer

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// kind returns the type of a part, "" if it has none. It reads no further than that,
// since a part may be large, and the type is usually its first key.
func kind(part jsontext.Value) (string, error) {
	d := jsontext.NewDecoder(bytes.NewReader(part))
	if d.PeekKind() != '{' {
		return "", errors.New("not an object")
	}
	if _, err := d.ReadToken(); err != nil {
		return "", err
	}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return "", err
		}
		if key.String() != "type" {
			if err := d.SkipValue(); err != nil {
				return "", err
			}
			continue
		}
		if d.PeekKind() != '"' {
			return "", errors.New("type: not a string")
		}
		name, err := d.ReadToken()
		return name.String(), err
	}
	return "", nil
}

// inSequence says in an error which part of a Sequence it is about.
func inSequence(i int, err error) error { return fmt.Errorf("%s[%d]: %w", "Sequence", i, err) }

// typed is a part without further keys.
type typed struct {
	Type string `json:"type"`
}

func readNormalizer(part jsontext.Value) (normalizers, error) {
	if null(part) {
		return nil, nil
	}
	name, err := kind(part)
	if err != nil {
		return nil, err
	}
	if name == "Sequence" {
		return readNormalizers(part)
	}
	read, ok := normalizerReaders[name]
	if !ok {
		return nil, fmt.Errorf("type %q is not supported", name)
	}
	n, err := read(part)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return normalizers{n}, nil
}

func readNormalizers(part jsontext.Value) (all normalizers, err error) {
	var s struct {
		Type        string           `json:"type"`
		Normalizers []jsontext.Value `json:"normalizers"`
	}
	if err := decode(part, "Sequence", &s); err != nil {
		return nil, err
	}
	for i, p := range s.Normalizers {
		n, err := readNormalizer(p)
		if err != nil {
			return nil, inSequence(i, err)
		}
		all = append(all, n...)
	}
	return all, nil
}

var normalizerReaders = map[string]func(jsontext.Value) (normalizer, error){
	"NFC":            readSimple(normalForm(norm.NFC)),
	"NFD":            readSimple(normalForm(norm.NFD)),
	"NFKC":           readSimple(normalForm(norm.NFKC)),
	"NFKD":           readSimple(normalForm(norm.NFKD)),
	"Nmt":            readSimple(nmt{}),
	"Lowercase":      readSimple(lowercase{}),
	"StripAccents":   readSimple(removeMarks{}),
	"Strip":          readStrip,
	"Prepend":        readPrepend,
	"Replace":        readReplace,
	"Precompiled":    readPrecompiled,
	"BertNormalizer": readBertNormalizer,
}

// readSimple reads a normalizer that has no further keys.
func readSimple(n normalizer) func(jsontext.Value) (normalizer, error) {
	return func(part jsontext.Value) (normalizer, error) {
		return n, decode(part, "", &typed{})
	}
}

func readStrip(part jsontext.Value) (normalizer, error) {
	var s struct {
		Type  string `json:"type"`
		Left  bool   `json:"strip_left"`
		Right bool   `json:"strip_right"`
	}
	err := decode(part, "", &s)
	return trim{s.Left, s.Right}, err
}

func readPrepend(part jsontext.Value) (normalizer, error) {
	var p struct {
		Type    string `json:"type"`
		Prepend string `json:"prepend"`
	}
	err := decode(part, "", &p)
	return prepend(p.Prepend), err
}

// replaceFile is the Replace part, which is a normalizer and a decoder.
type replaceFile struct {
	Type    string      `json:"type"`
	Pattern patternFile `json:"pattern"`
	Content string      `json:"content"`
}

// patternFile is a string or a regular expression.
type patternFile struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

func (p patternFile) check() error {
	if (p.String == nil) == (p.Regex == nil) {
		return errors.New("pattern: must be a String or a Regex")
	}
	if p.String != nil && *p.String == "" {
		return errors.New("pattern: an empty String is not supported")
	}
	return nil
}

func readReplace(part jsontext.Value) (normalizer, error) {
	var r replaceFile
	if err := decode(part, "", &r); err != nil {
		return nil, err
	}
	if err := r.Pattern.check(); err != nil {
		return nil, err
	}
	if s := r.Pattern.String; s != nil {
		return replaceString{*s, r.Content}, nil
	}
	if *r.Pattern.Regex == " {2,}" {
		return replaceSpaces(r.Content), nil
	}
	re, err := newRegex(*r.Pattern.Regex)
	if err != nil {
		return nil, err
	}
	return replaceRegex{re, r.Content}, nil
}

func readPrecompiled(part jsontext.Value) (normalizer, error) {
	var p struct {
		Type string `json:"type"`
		Map  []byte `json:"precompiled_charsmap"`
	}
	if err := decode(part, "", &p); err != nil {
		return nil, err
	}
	m, err := newCharMap(p.Map)
	if err != nil {
		return nil, fmt.Errorf("precompiled_charsmap: %w", err)
	}
	return precompiled{m}, nil
}

func readBertNormalizer(part jsontext.Value) (normalizer, error) {
	var b struct {
		Type    string `json:"type"`
		Clean   bool   `json:"clean_text"`
		Chinese bool   `json:"handle_chinese_chars"`
		Accents *bool  `json:"strip_accents"`
		Lower   bool   `json:"lowercase"`
	}
	if err := decode(part, "", &b); err != nil {
		return nil, err
	}
	accents := b.Lower
	if b.Accents != nil {
		accents = *b.Accents
	}
	return bertNormalizer{b.Clean, b.Chinese, accents, b.Lower}, nil
}
