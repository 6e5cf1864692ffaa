package hub

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/tokenizer"
)

// The files of a tokenizer as opus-mt models have it: a SentencePiece model for each language, and one vocabulary.
const (
	sourceModel = "source.spm"
	targetModel = "target.spm"
	marianVocab = "vocab.json"
)

// sentencePieceModel is the tokenizer of Llama-like models that have no tokenizer.json.
const sentencePieceModel = "tokenizer.model"

// LoadTokenizers reads the tokenizer of a model directory: tokenizer.json or, where there is none, what opus-mt models
// have in its place, or the tokenizer.model of older Llama-like ones. target cuts text of the target language; it is source itself unless the languages differ in that.
func LoadTokenizers(dir string) (source, target *tokenizer.Tokenizer, err error) {
	if IsGGUF(dir) {
		source, err = loadGGUFTokenizer(dir)
		return source, source, err
	}
	path := filepath.Join(ResolveDir(dir), "tokenizer.json")
	if !isFile(path) && hasMarianTokenizer(dir) {
		return loadMarianTokenizers(dir)
	}
	if model := filepath.Join(ResolveDir(dir), sentencePieceModel); !isFile(path) && isFile(model) {
		source, err = loadLlamaTokenizer(dir, model)
		return source, source, err
	}
	source, err = tokenizer.Load(path)
	return source, source, err
}

// loadLlamaTokenizer reads a SentencePiece model that stands alone. As in LlamaTokenizer of transformers, a text begins with
// <s> and ends with nothing unless tokenizer_config.json says otherwise.
func loadLlamaTokenizer(dir, model string) (*tokenizer.Tokenizer, error) {
	config, err := tokenizerConfig(dir)
	if err != nil {
		return nil, err
	}
	names, err := tokensOf(config)
	if err != nil {
		return nil, err
	}
	var before, after []string
	for _, k := range []struct {
		key, role, name string
		on              bool
		to              *[]string
	}{{"add_bos_token", "bos_token", "<s>", true, &before}, {"add_eos_token", "eos_token", "</s>", false, &after}} {
		on, err := config.BoolOr(k.key, k.on)
		if err != nil {
			return nil, err
		}
		if on {
			*k.to = append(*k.to, cmp.Or(names[k.role], k.name))
		}
	}
	t, err := tokenizer.LoadSentencePiece(model)
	if err != nil {
		return nil, err
	}
	if t, err = t.Framed(before, after); err != nil {
		return nil, fmt.Errorf("%s: %w", model, err)
	}
	return t, nil
}

func hasMarianTokenizer(dir string) bool {
	dir = ResolveDir(dir)
	return isFile(filepath.Join(dir, sourceModel)) && isFile(filepath.Join(dir, marianVocab))
}

func loadMarianTokenizers(dir string) (source, target *tokenizer.Tokenizer, err error) {
	dir = ResolveDir(dir)
	o, err := marianOptions(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, nil, err
	}
	vocab := filepath.Join(dir, marianVocab)
	if source, err = tokenizer.LoadMarian(filepath.Join(dir, sourceModel), vocab, o); err != nil {
		return nil, nil, err
	}
	target, err = tokenizer.LoadMarian(filepath.Join(dir, targetModel), vocab, o)
	return source, target, err
}

// marianOptions reads the names of the special tokens from a tokenizer_config.json, which may be missing.
func marianOptions(path string) (o tokenizer.MarianOptions, err error) {
	if !isFile(path) {
		return o, nil
	}
	config, err := ReadConfig(path)
	if err != nil {
		return o, err
	}
	if separate, err := config.BoolOr("separate_vocabs", false); err != nil {
		return o, err
	} else if separate {
		return o, config.errorf("separate_vocabs", "false: both languages must have the same vocab.json")
	}
	for key, name := range map[string]*string{"eos_token": &o.EOS, "unk_token": &o.Unknown, "pad_token": &o.Pad} {
		if *name, err = config.StringOr(key, ""); err != nil {
			return o, err
		}
	}
	return o, nil
}

// marianFiles returns the files of such a tokenizer as they are, to be saved with the model again.
func marianFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range []string{sourceModel, targetModel, marianVocab, "tokenizer_config.json"} {
		path := filepath.Join(dir, name)
		if name == "tokenizer_config.json" && !isFile(path) {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the tokenizer: %w", err)
		}
		files[name] = data
	}
	return files, nil
}
