package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// file is tokenizer.json, the format of Hugging Face tokenizers.
type file struct {
	Version       string         `json:"version"`
	Truncation    jsontext.Value `json:"truncation"`
	Padding       jsontext.Value `json:"padding"`
	AddedTokens   []addedFile    `json:"added_tokens"`
	Normalizer    jsontext.Value `json:"normalizer"`
	PreTokenizer  jsontext.Value `json:"pre_tokenizer"`
	PostProcessor jsontext.Value `json:"post_processor"`
	Decoder       jsontext.Value `json:"decoder"`
	Model         modelFile      `json:"model"`
}

type addedFile struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	Lstrip     bool   `json:"lstrip"`
	Rstrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type modelFile struct {
	Type                    string     `json:"type"`
	Dropout                 *float64   `json:"dropout"`
	UnkToken                *string    `json:"unk_token"`
	ContinuingSubwordPrefix *string    `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string    `json:"end_of_word_suffix"`
	FuseUnk                 bool       `json:"fuse_unk"`
	ByteFallback            bool       `json:"byte_fallback"`
	IgnoreMerges            bool       `json:"ignore_merges"`
	Vocab                   vocabulary `json:"vocab"`
	Merges                  mergeList  `json:"merges"`
}

// Load reads a tokenizer.json. A part that Parley does not know is an error that
// names it.
func Load(path string) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads the content of a tokenizer.json; see [Load].
func Parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := decode(data, &f); err != nil {
		return nil, cmp.Or(otherModel(data), err)
	}
	return f.tokenizer()
}

// otherModel returns an error if the file holds a model of a kind that Parley lacks,
// whose keys are unknown for that reason.
func otherModel(data []byte) error {
	var f struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	if json.Unmarshal(data, &f) == nil && f.Model.Type != "" && f.Model.Type != "BPE" {
		return fmt.Errorf("model.type %q is not supported, only BPE", f.Model.Type)
	}
	return nil
}

// decode reads one part of the file. A key that it does not know is an error: it may
// change what a text becomes.
func decode(data []byte, part any) error {
	err := json.Unmarshal(data, part, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntactic) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not a readable tokenizer.json: %w", err)
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("%s: not supported", dotted(semantic.JSONPointer))
	case errors.As(err, &semantic) && semantic.Err != nil:
		return fmt.Errorf("%s: %w", dotted(semantic.JSONPointer), semantic.Err)
	case errors.As(err, &semantic):
		return fmt.Errorf("%s: not expected to be a %v", dotted(semantic.JSONPointer), semantic.JSONKind)
	}
	return fmt.Errorf("not a readable tokenizer.json: %w", err)
}

// dotted spells a place in the file as in model.vocab.
func dotted(p jsontext.Pointer) string {
	return cmp.Or(strings.Join(slices.Collect(p.Tokens()), "."), "the whole")
}

// tokenizer builds what the file describes.
func (f *file) tokenizer() (*Tokenizer, error) {
	t := &Tokenizer{file: *f, special: map[int32]bool{}}
	for _, build := range []func(*Tokenizer) error{
		f.absent, f.model, f.added, f.preTokenizer, f.postProcessor, f.decoder,
	} {
		if err := build(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// absent refuses the parts of the format that Parley lacks.
func (f *file) absent(*Tokenizer) error {
	if f.Version != "" && f.Version != "1.0" {
		return fmt.Errorf("version: %q is not known, only 1.0", f.Version)
	}
	if !null(f.Normalizer) {
		name, err := kind(f.Normalizer)
		if err != nil {
			return fmt.Errorf("normalizer: %w", err)
		}
		return fmt.Errorf("normalizer: type %q is not supported, only none", name)
	}
	m := &f.Model
	if m.Type == "" && len(m.Merges) > 0 {
		m.Type = "BPE" // files written before types were
	}
	if m.Type != "BPE" {
		return fmt.Errorf("model.type %q is not supported, only BPE", m.Type)
	}
	for _, part := range []struct {
		name    string
		present bool
	}{
		{"truncation", !null(f.Truncation)},
		{"padding", !null(f.Padding)},
		{"model.dropout", m.Dropout != nil && *m.Dropout != 0},
		{"model.continuing_subword_prefix", m.ContinuingSubwordPrefix != nil && *m.ContinuingSubwordPrefix != ""},
		{"model.end_of_word_suffix", m.EndOfWordSuffix != nil && *m.EndOfWordSuffix != ""},
		{"model.fuse_unk", m.FuseUnk},
		{"model.byte_fallback", m.ByteFallback},
		{"model.ignore_merges", m.IgnoreMerges},
	} {
		if part.present {
			return fmt.Errorf("%s: not supported", part.name)
		}
	}
	return nil
}

func null(part jsontext.Value) bool { return len(part) == 0 || string(part) == "null" }

// model sets up vocabulary and merges.
func (f *file) model(t *Tokenizer) error {
	m := &f.Model
	t.spelled = make([]string, 0, len(m.Vocab)+len(f.AddedTokens))
	t.raw = make([]string, 0, cap(t.spelled))
	t.ids = make(map[string]int32, len(m.Vocab)+len(f.AddedTokens))
	for _, e := range m.Vocab {
		if err := t.name(e.token, e.id, len(m.Vocab)+len(f.AddedTokens)); err != nil {
			return fmt.Errorf("model.vocab: %w", err)
		}
		t.raw[e.id] = unspell(e.token)
	}
	t.unk = noToken
	if m.UnkToken != nil {
		id, ok := t.ids[*m.UnkToken]
		if !ok {
			return fmt.Errorf("model.unk_token: %q is not in the vocabulary", *m.UnkToken)
		}
		t.unk = id
	}
	for b := range t.bytes {
		id, ok := t.ids[string(byteRunes[b])]
		if !ok {
			id = noToken
		}
		t.bytes[b] = id
	}
	t.merges = newPairTable(len(m.Merges))
	var whole []byte
	for i, p := range m.Merges {
		left, lok := t.ids[p.left]
		right, rok := t.ids[p.right]
		whole = append(append(whole[:0], p.left...), p.right...)
		id, ok := t.ids[string(whole)]
		if !lok || !rok || !ok {
			return fmt.Errorf("model.merges[%d]: of %q and %q, or what they make together, something is not in the vocabulary", i, p.left, p.right)
		}
		t.merges.add(left, right, id)
	}
	return nil
}

// name gives an id its token. Ids may leave gaps, but not so many that a small file
// asks for much memory.
func (t *Tokenizer) name(token string, id int32, tokens int) error {
	if limit := 2*tokens + 1<<16; id < 0 || int(id) >= limit {
		return fmt.Errorf("id %d of %q is out of range for %d tokens", id, token, tokens)
	}
	if token == "" {
		return fmt.Errorf("the token of id %d is empty", id)
	}
	if n := int(id) + 1 - len(t.spelled); n > 0 {
		t.spelled = append(t.spelled, make([]string, n)...)
		t.raw = append(t.raw, make([]string, n)...)
	}
	if have := t.spelled[id]; have != "" && have != token {
		return fmt.Errorf("id %d is both %q and %q", id, have, token)
	}
	if have, ok := t.ids[token]; ok && have != id {
		return fmt.Errorf("%q has the ids %d and %d", token, have, id)
	}
	t.spelled[id] = token
	t.ids[token] = id
	return nil
}

// added sets up the added tokens. In the reference each decodes through the byte
// alphabet, which mangles those with letters such as é; here each decodes to itself.
func (f *file) added(t *Tokenizer) error {
	var now, later []addedToken
	for i, a := range f.AddedTokens {
		for flag, set := range map[string]bool{"single_word": a.SingleWord, "lstrip": a.Lstrip, "rstrip": a.Rstrip} {
			if set {
				return fmt.Errorf("added_tokens[%d] %q: %s: not supported", i, a.Content, flag)
			}
		}
		if err := t.name(a.Content, a.ID, len(f.Model.Vocab)+len(f.AddedTokens)); err != nil {
			return fmt.Errorf("added_tokens[%d]: %w", i, err)
		}
		t.raw[a.ID] = a.Content
		if a.Special {
			t.special[a.ID] = true
		}
		token := addedToken{a.ID, a.Content, a.Special}
		if a.Normalized {
			later = append(later, token)
		} else {
			now = append(now, token)
		}
	}
	for _, tokens := range [][]addedToken{now, later} {
		if len(tokens) > 0 {
			t.matchers = append(t.matchers, newMatcher(tokens))
		}
	}
	return nil
}

// byteLevel is the ByteLevel part of the format, which is a pre-tokenizer, a
// post-processor (for offsets alone) and a decoder in one.
type byteLevel struct {
	Type           string `json:"type"`
	AddPrefixSpace *bool  `json:"add_prefix_space"`
	TrimOffsets    *bool  `json:"trim_offsets"`
	UseRegex       *bool  `json:"use_regex"`
}

type split struct {
	Type     string            `json:"type"`
	Pattern  map[string]string `json:"pattern"`
	Behavior string            `json:"behavior"`
	Invert   bool              `json:"invert"`
}

// kind returns the type of a part.
func kind(part jsontext.Value) (string, error) {
	var k struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(part, &k)
	return k.Type, err
}

func (f *file) preTokenizer(t *Tokenizer) error {
	pattern, err := readPattern(f.PreTokenizer)
	if err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	t.words = newSplitter(pattern)
	return nil
}

const spacesRegex = ` ?\S+|\s+`

func readPattern(part jsontext.Value) (Pattern, error) {
	if null(part) {
		return 0, errors.New("none is not supported, only ByteLevel, or Sequence of Split and ByteLevel")
	}
	name, err := kind(part)
	if err != nil {
		return 0, err
	}
	switch name {
	case "ByteLevel":
		return GPT2, readByteLevel(part, true)
	case "Sequence":
		return Spaces, readSequence(part)
	}
	return 0, fmt.Errorf("type %q is not supported, only ByteLevel, or Sequence of Split and ByteLevel", name)
}

func readByteLevel(part jsontext.Value, regex bool) error {
	var b byteLevel
	if err := decode(part, &b); err != nil {
		return fmt.Errorf("ByteLevel: %w", err)
	}
	if b.AddPrefixSpace == nil || *b.AddPrefixSpace {
		return errors.New("ByteLevel: add_prefix_space true is not supported")
	}
	if uses := b.UseRegex == nil || *b.UseRegex; uses != regex {
		return fmt.Errorf("ByteLevel: use_regex %v is not supported here", uses)
	}
	return nil
}

// readSequence accepts the one sequence that means [Spaces].
func readSequence(part jsontext.Value) error {
	var s struct {
		Type          string           `json:"type"`
		Pretokenizers []jsontext.Value `json:"pretokenizers"`
	}
	if err := decode(part, &s); err != nil {
		return fmt.Errorf("Sequence: %w", err)
	}
	var kinds []string
	for i, p := range s.Pretokenizers {
		k, err := kind(p)
		if err != nil {
			return fmt.Errorf("Sequence[%d]: %w", i, err)
		}
		kinds = append(kinds, k)
	}
	if !slices.Equal(kinds, []string{"Split", "ByteLevel"}) {
		return fmt.Errorf("Sequence of %q is not supported, only of Split and ByteLevel", kinds)
	}
	var cut split
	if err := decode(s.Pretokenizers[0], &cut); err != nil {
		return fmt.Errorf("Sequence[0]: Split: %w", err)
	}
	if regex := cut.Pattern["Regex"]; regex != spacesRegex || len(cut.Pattern) != 1 {
		return fmt.Errorf("Sequence[0]: Split: pattern %q is not supported, only the Regex %q", cut.Pattern, spacesRegex)
	}
	if cut.Behavior != "Isolated" || cut.Invert {
		return fmt.Errorf("Sequence[0]: Split: behavior %q, invert %v is not supported, only Isolated, false", cut.Behavior, cut.Invert)
	}
	if err := readByteLevel(s.Pretokenizers[1], false); err != nil {
		return fmt.Errorf("Sequence[1]: %w", err)
	}
	return nil
}

func (f *file) decoder(*Tokenizer) error {
	if null(f.Decoder) {
		return errors.New("decoder: none is not supported, only ByteLevel")
	}
	name, err := kind(f.Decoder)
	if err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	if name != "ByteLevel" {
		return fmt.Errorf("decoder: type %q is not supported, only ByteLevel", name)
	}
	if err := decode(f.Decoder, &byteLevel{}); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	return nil
}

// template is the TemplateProcessing post-processor: what stands around one text, or
// two. Each piece is {"SpecialToken": …} or {"Sequence": …}.
type template struct {
	Type          string                   `json:"type"`
	Single        []templatePiece          `json:"single"`
	Pair          []templatePiece          `json:"pair"`
	SpecialTokens map[string]templateToken `json:"special_tokens"`
}

type templateToken struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

type templatePiece struct {
	SpecialToken *pieceID `json:"SpecialToken,omitzero"`
	Sequence     *pieceID `json:"Sequence,omitzero"`
}

type pieceID struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

func (f *file) postProcessor(t *Tokenizer) error {
	if null(f.PostProcessor) {
		return nil
	}
	name, err := kind(f.PostProcessor)
	switch {
	case err != nil:
	case name == "ByteLevel":
		err = decode(f.PostProcessor, &byteLevel{})
	case name == "TemplateProcessing":
		err = t.readTemplate(f.PostProcessor)
	default:
		err = fmt.Errorf("type %q is not supported, only ByteLevel and TemplateProcessing", name)
	}
	if err != nil {
		return fmt.Errorf("post_processor: %w", err)
	}
	return nil
}

// readTemplate sets the prefix and suffix from the template of a single text.
func (t *Tokenizer) readTemplate(part jsontext.Value) error {
	var p template
	if err := decode(part, &p); err != nil {
		return fmt.Errorf("TemplateProcessing: %w", err)
	}
	seen := false
	for i, piece := range p.Single {
		switch {
		case piece.Sequence != nil && piece.SpecialToken == nil:
			if piece.Sequence.ID != "A" || seen {
				return fmt.Errorf("TemplateProcessing: single[%d]: the text must stand exactly once", i)
			}
			seen = true
		case piece.SpecialToken != nil && piece.Sequence == nil:
			s, ok := p.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return fmt.Errorf("TemplateProcessing: single[%d]: %q is not in special_tokens", i, piece.SpecialToken.ID)
			}
			for _, id := range s.IDs {
				if _, ok := t.Token(id); !ok {
					return fmt.Errorf("TemplateProcessing: special_tokens: %q has the id %d, which is no token", piece.SpecialToken.ID, id)
				}
			}
			if seen {
				t.suffix = append(t.suffix, s.IDs...)
			} else {
				t.prefix = append(t.prefix, s.IDs...)
			}
		default:
			return fmt.Errorf("TemplateProcessing: single[%d]: neither a Sequence nor a SpecialToken", i)
		}
	}
	if !seen {
		return errors.New("TemplateProcessing: single: the text is missing")
	}
	return nil
}

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
	for d.PeekKind() != '}' {
		token, err := readString(d)
		if err != nil {
			return err
		}
		number, err := d.ReadValue()
		if err != nil {
			return err
		}
		id, err := strconv.ParseInt(string(number), 10, 32)
		if err != nil {
			return fmt.Errorf("the id of %q is %.20s", token, number)
		}
		*v = append(*v, vocabEntry{token, int32(id)})
	}
	_, err := d.ReadToken()
	return err
}

func readString(d *jsontext.Decoder) (string, error) {
	if k := d.PeekKind(); k != '"' && k != 0 { // 0: the error that ReadToken returns
		return "", fmt.Errorf("not expected to be a %v instead of a string", k)
	}
	t, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	return t.String(), nil
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
	for d.PeekKind() != ']' {
		p, err := readMerge(d)
		if err != nil {
			return err
		}
		*l = append(*l, p)
	}
	_, err := d.ReadToken()
	return err
}

func readMerge(d *jsontext.Decoder) (p mergePair, err error) {
	if d.PeekKind() == '"' {
		joined, err := readString(d)
		if err != nil {
			return p, err
		}
		left, right, ok := strings.Cut(joined, " ")
		if !ok || strings.Contains(right, " ") {
			return p, fmt.Errorf("%q is not two tokens with a space between", joined)
		}
		return mergePair{left, right}, nil
	}
	if k := d.PeekKind(); k != '[' && k != 0 {
		return p, errors.New("neither a pair nor a string")
	}
	if _, err = d.ReadToken(); err != nil {
		return p, err
	}
	if p.left, err = readString(d); err != nil {
		return p, err
	}
	if p.right, err = readString(d); err != nil {
		return p, err
	}
	if d.PeekKind() != ']' {
		return p, errors.New("not two tokens")
	}
	_, err = d.ReadToken()
	return p, err
}

// MarshalJSONTo writes the merges as pairs.
func (l mergeList) MarshalJSONTo(e *jsontext.Encoder) error {
	tokens := []jsontext.Token{jsontext.BeginArray}
	for _, p := range l {
		tokens = append(tokens, jsontext.BeginArray, jsontext.String(p.left), jsontext.String(p.right), jsontext.EndArray)
	}
	return write(e, append(tokens, jsontext.EndArray))
}

// JSON returns the content of a tokenizer.json, which Parse and Hugging Face tokenizers read.
func (t *Tokenizer) JSON() ([]byte, error) {
	f := t.file
	f.Version = "1.0"
	data, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing tokenizer.json: %w", err)
	}
	return data, nil
}
