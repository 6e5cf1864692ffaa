package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/tokenizer"
)

// BeginToken stands before every document of a new vocabulary and after the last one, as in GPT-2: it begins a text and
// ends it. beginTokens are what it may be called in a vocabulary that is given.
const BeginToken = "<|endoftext|>"

var beginTokens = []string{BeginToken, "<|begin_of_text|>", "<s>", "<|im_start|>", "</s>"}

// vocabulary is the tokenizer of a decoder-only model.
type vocabulary struct {
	tok   *tokenizer.Tokenizer
	begin int32  // the token that begins a text
	sum   string // of the tokenizer
}

// makeVocabulary takes the tokenizer that there is (the run's, model.from's, tokenizer.file), or makes one: of the characters
// of all texts, or byte-pair encoding from those to train on.
func (w *workplace) makeVocabulary(ctx context.Context, all, training func() iter.Seq2[string, error]) (v vocabulary, err error) {
	o, saved := &w.recipe.Tokenizer, filepath.Join(w.dir, vocabularyFile)
	switch from := w.recipe.Model.From; {
	case w.resumed && exists(saved):
		v.tok, err = tokenizer.Load(saved)
	case from != "":
		v.tok, err = startTokenizer(hub.ModelDir(from))
	case o.File != "":
		v.tok, err = tokenizer.Load(o.File)
	case o.Kind == "characters":
		w.progress.Note("collecting the characters of the text")
		v.tok, err = learn(ctx, all(), 0, func(text iter.Seq[string]) (*tokenizer.Tokenizer, error) {
			return tokenizer.Characters(text, []string{BeginToken})
		})
	default:
		w.progress.Note(fmt.Sprintf("learning a vocabulary of %d", o.Vocab))
		v.tok, err = learn(ctx, training(), vocabularyText, func(text iter.Seq[string]) (*tokenizer.Tokenizer, error) {
			pattern := tokenizer.GPT2
			if o.Pattern == "spaces" {
				pattern = tokenizer.Spaces
			}
			return tokenizer.Train(text, tokenizer.TrainOptions{
				VocabSize: o.Vocab, MinFrequency: o.MinFrequency, Pattern: pattern, InitialAlphabet: true,
				SpecialTokens: []string{BeginToken}, Threads: w.options.Threads,
			})
		})
	}
	if err != nil {
		return v, err
	}
	return v, v.identify()
}

// startTokenizer reads the tokenizer of a model, or of the base of an adapter.
func startTokenizer(dir string) (tok *tokenizer.Tokenizer, err error) {
	if hub.IsAdapter(dir) {
		if dir, err = hub.AdapterBase(dir); err != nil {
			return nil, fmt.Errorf("model.from: %w", err)
		}
	}
	tok, _, err = hub.LoadTokenizers(dir)
	return tok, err
}

// tokenizer is that of the objective.
func (v *vocabulary) tokenizer() *tokenizer.Tokenizer { return v.tok }

// identify finds the token that begins texts, and the checksum.
func (v *vocabulary) identify() error {
	text, err := v.tok.JSON()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	v.sum = hex.EncodeToString(sum[:16])
	for _, name := range beginTokens {
		if id, ok := v.tok.ID(name); ok {
			v.begin = id
			return nil
		}
	}
	return fmt.Errorf("the vocabulary has no token to stand between documents; one of %s is needed", strings.Join(beginTokens, ", "))
}

// vocabularyText is how many bytes of text a vocabulary is learned from at most: more changes it little, and the words are
// kept in memory.
const vocabularyText = 256 << 20

// learn hands at most so many bytes of text (0: all) to f.
func learn(ctx context.Context, texts iter.Seq2[string, error], most int, f func(iter.Seq[string]) (*tokenizer.Tokenizer, error)) (*tokenizer.Tokenizer, error) {
	var failed error
	tok, err := f(func(yield func(string) bool) {
		seen := 0
		for text, err := range texts {
			if failed = errors.Join(err, ctx.Err()); failed != nil || most > 0 && seen >= most || !yield(text) {
				return
			}
			seen += len(text)
		}
	})
	return tok, errors.Join(failed, err)
}
