package tokenizer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ggmlPre is a way to cut text into words that llama.cpp knows by a name.
type ggmlPre struct {
	name    string
	aliases []string // further names, of models that cut in the same way
	// digits cuts every digit off before the pattern comes; patterns are regular expressions, one after another.
	digits       bool
	patterns     []string
	ignoreMerges bool
	addBOS       bool // unless the file says otherwise
}

// The patterns of Mistral's Tekken and of GPT-4o, as their tokenizer.json have them.
const (
	tekkenRegex = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	gpt4oRegex  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// ggmlPres are the ways that Parley knows, by the names of llama.cpp's llama-vocab.cpp.
var ggmlPres = []ggmlPre{
	{name: "gpt-2", patterns: []string{gpt2Regex},
		aliases: []string{"phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4", "gigachat", "a.x-4.0", "mellum", "modern-bert"}},
	{name: "llama-bpe", patterns: []string{llama3Regex}, ignoreMerges: true, addBOS: true,
		aliases: []string{"llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"}},
	{name: "smaug-bpe", patterns: []string{llama3Regex}, aliases: []string{"dbrx", "chatglm-bpe"}},
	{name: "qwen2", patterns: []string{qwenRegex}, aliases: []string{"deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2", "kormo", "f2llmv2"}},
	{name: "smollm", digits: true, patterns: []string{gpt2Regex}, aliases: []string{"starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"}},
	{name: "tekken", patterns: []string{tekkenRegex}, ignoreMerges: true, addBOS: true},
	{name: "gpt-4o", patterns: []string{gpt4oRegex}, aliases: []string{"llama4", "kanana2", "talkie"}},
}

// preByName returns the way that has a name.
func preByName(name string) (*ggmlPre, error) {
	var names []string
	for i := range ggmlPres {
		p := &ggmlPres[i]
		if p.name == name || slices.Contains(p.aliases, name) {
			return p, nil
		}
		names = append(append(names, p.name), p.aliases...)
	}
	return nil, fmt.Errorf("tokenizer.ggml.pre is %q; supported: %s", name, strings.Join(names, ", "))
}

// GGMLAddsBOS says whether llama.cpp begins texts with BOS where a file does not say it.
func GGMLAddsBOS(model, pre string) bool {
	p, err := preByName(pre)
	return model == "llama" || err == nil && p.addBOS
}

var byteLevelDecoder = jsontext.Value(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`)

// json returns the pre-tokenizer as tokenizer.json has it.
func (p *ggmlPre) json() jsontext.Value {
	parts := []string{}
	if p.digits {
		parts = append(parts, `{"type":"Digits","individual_digits":true}`)
	}
	for _, regex := range p.patterns {
		parts = append(parts, `{"type":"Split","pattern":{"Regex":`+quoted(regex)+`},"behavior":"Isolated","invert":false}`)
	}
	parts = append(parts, `{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}`)
	return jsontext.Value(`{"type":"Sequence","pretokenizers":[` + strings.Join(parts, ",") + `]}`)
}

func quoted(text string) string {
	q, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		panic("tokenizer: " + err.Error()) // only of text that is not UTF-8
	}
	return string(q)
}

// findPre finds the way that cuts text as the tokenizer does.
func (g *GGML) findPre(t *Tokenizer) error {
	steps, err := stepNames(t.file.PreTokenizer)
	if err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	m := t.model.(*bpe)
	unmade, matters := t.unmade(m)
	none := fmt.Errorf("pre_tokenizer: llama.cpp has none that cuts by %s", strings.Join(steps, ", then "))
	for _, p := range ggmlPres {
		theirs, err := stepNames(p.json())
		switch {
		case err != nil:
			return err
		case !slices.Equal(steps, theirs):
		case matters && p.ignoreMerges != (m.whole != nil):
			none = fmt.Errorf("model.ignore_merges is %t, and that of llama.cpp's pre-tokenizer %q is not; %q tells them apart", m.whole != nil, p.name, unmade)
		default:
			g.Pre = p.name
			return nil
		}
	}
	return none
}

// stepNames names the steps of a pre-tokenizer of byte-level BPE; two that do the same have the same names.
func stepNames(part jsontext.Value) (names []string, err error) {
	name, err := kindOf(part)
	if err != nil {
		return nil, err
	}
	var p struct {
		PreTokenizers []jsontext.Value `json:"pretokenizers"`
		Pattern       patternFile      `json:"pattern"`
		Behavior      behavior         `json:"behavior"`
		Invert        bool             `json:"invert"`
		Individual    bool             `json:"individual_digits"`
		PrefixSpace   *bool            `json:"add_prefix_space"`
		UseRegex      *bool            `json:"use_regex"`
	}
	if err := json.Unmarshal(part, &p); err != nil {
		return nil, err
	}
	covers := p.Behavior == isolated || p.Behavior == removed && p.Invert
	switch {
	case name == "Sequence":
		for _, inner := range p.PreTokenizers {
			more, err := stepNames(inner)
			if err != nil {
				return nil, err
			}
			names = append(names, more...)
		}
		return names, nil
	case name == "ByteLevel" && (p.PrefixSpace == nil || *p.PrefixSpace):
		return nil, fmt.Errorf("ByteLevel with add_prefix_space, which llama.cpp lacks")
	case name == "ByteLevel" && (p.UseRegex == nil || *p.UseRegex):
		return []string{patternName(gpt2Regex)}, nil
	case name == "ByteLevel":
		return nil, nil
	case name == "Digits" && p.Individual, name == "Split" && p.Pattern.Regex != nil && *p.Pattern.Regex == `\p{N}` && p.Behavior == isolated:
		return []string{"single digits"}, nil
	case name == "Split" && p.Pattern.Regex != nil && covers:
		return []string{patternName(*p.Pattern.Regex)}, nil
	}
	return nil, fmt.Errorf("%s, which llama.cpp lacks", name)
}

// patternName is a regular expression, the same one for all spellings of a known pattern.
func patternName(regex string) string {
	for _, usual := range []string{gpt2Regex, llama3Regex, qwenRegex, spacesRegex} {
		if p, known := knownRegexes[regex]; known && p == knownRegexes[usual] {
			return usual
		}
	}
	return regex
}

// kindOf returns the type of a part, "" where there is none.
func kindOf(part jsontext.Value) (string, error) {
	if null(part) {
		return "", nil
	}
	return kind(part)
}

// parseFrame writes the post-processor that puts tokens around a text.
func (g *GGML) parseFrame(f *file) error {
	piece := func(id *int32, key string, wanted bool) (content string, err error) {
		if !wanted {
			return "", nil
		}
		if id == nil || *id < 0 || int(*id) >= len(g.Tokens) || g.Tokens[*id] == "" {
			return "", fmt.Errorf("tokenizer.ggml.%s_token_id: missing or not in the vocabulary of %d, though a text is to have it", key, len(g.Tokens))
		}
		return g.Tokens[*id], nil
	}
	bos, err := piece(g.BOS, "bos", g.AddBOS)
	if err != nil {
		return err
	}
	eos, err := piece(g.EOS, "eos", g.AddEOS)
	if err != nil {
		return err
	}
	if bos == "" && eos == "" {
		return nil
	}
	p := template{Type: "TemplateProcessing", SpecialTokens: map[string]templateToken{}}
	for typeID, sequence := range []string{"A", "B"} {
		var pieces []templatePiece
		add := func(token string, id *int32) {
			if token != "" {
				pieces = append(pieces, templatePiece{SpecialToken: &pieceID{token, typeID}})
				p.SpecialTokens[token] = templateToken{token, []int32{*id}, []string{token}}
			}
		}
		add(bos, g.BOS)
		pieces = append(pieces, templatePiece{Sequence: &pieceID{sequence, typeID}})
		add(eos, g.EOS)
		p.Pair = append(p.Pair, pieces...)
		if typeID == 0 {
			p.Single = pieces
		}
	}
	f.PostProcessor, err = json.Marshal(p, json.Deterministic(true))
	return err
}

// spacesAsSentencePiece returns the normalizer and the decoder of a BPE of characters, with or without a space before a text.
func spacesAsSentencePiece(prefix bool) (normalizer, decoder jsontext.Value) {
	replace := `{"type":"Replace","pattern":{"String":" "},"content":"▁"}`
	restore := `{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}`
	if prefix {
		replace = `{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},` + replace + `]}`
		restore += `,{"type":"Strip","content":" ","start":1,"stop":0}`
	}
	return jsontext.Value(replace), jsontext.Value(`{"type":"Sequence","decoders":[` + restore + `]}`)
}
