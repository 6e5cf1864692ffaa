package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/tokenizer"
)

func (a *app) tokenizerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tokenizer",
		Short: "Learn a vocabulary from text, cut text into tokens, put tokens together",
		Example: `  parley tokenizer train --vocab 10000 --out tokenizer.json train.en train.fr
  parley tokenizer encode --tokens "How is this cut?"`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.tokenizerTrainCommand(), a.tokenizerEncodeCommand(), a.tokenizerDecodeCommand())
	return c
}

func (a *app) tokenizerTrainCommand() *cobra.Command {
	var (
		size, minimum int
		pattern, out  string
		special, last []string
	)
	c := &cobra.Command{
		Use:   "train FILE...",
		Short: "Learn a byte-level BPE vocabulary from text files (also .gz), or the texts of JSONL, CSV or Parquet",
		Example: `  parley tokenizer train --vocab 10000 --out tokenizer.json train.en train.fr
  parley tokenizer train --vocab 8000 --pattern spaces --special '</s>,<unk>' --last '<pad>' --out tokenizer.json corpus.txt
  parley tokenizer train --vocab 1024 --special '<|endoftext|>' stories.jsonl                  # of each line its "text"`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, files []string) error {
			o := tokenizer.TrainOptions{
				VocabSize: size, MinFrequency: minimum, SpecialTokens: special, LastTokens: last, InitialAlphabet: true, Threads: a.threads,
			}
			switch pattern {
			case "gpt2":
				o.Pattern = tokenizer.GPT2
			case "spaces":
				o.Pattern = tokenizer.Spaces
			default:
				return usagef("--pattern %q: must be gpt2 or spaces", pattern)
			}
			var failed error
			t, err := tokenizer.Train(linesOf(c.Context(), files, &failed), o)
			if failed != nil {
				return failed
			}
			if err != nil {
				return err
			}
			text, err := t.JSON()
			if err != nil {
				return err
			}
			if err := hub.WriteBytesAtomic(out, text); err != nil {
				return err
			}
			if !a.quiet {
				fmt.Fprintf(a.err, "%d tokens in %s\n", t.Size(), out)
			}
			return nil
		},
	}
	f := c.Flags()
	f.IntVar(&size, "vocab", 10000, "number of tokens")
	f.IntVar(&minimum, "min-frequency", 2, "merge only pairs that occur at least so often")
	f.StringVar(&pattern, "pattern", "gpt2", "how text is cut into words: gpt2, or spaces (for translation)")
	f.StringSliceVar(&special, "special", nil, "special tokens with the first ids")
	f.StringSliceVar(&last, "last", nil, "special tokens with the last ids")
	f.StringVarP(&out, "out", "o", "tokenizer.json", "file to write")
	return c
}

// linesOf yields the lines of all files, each with a newline as in the text, or where a file's name tells that it holds documents
// the text of each of them; it stops at the first error, or when ctx ends.
func linesOf(ctx context.Context, files []string, failed *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, path := range files {
			read := yieldLines
			if format := corpus.FormatOf(path); format != "" && format != corpus.PlainText {
				read = yieldDocuments
			}
			if goesOn, err := read(ctx, path, yield); err != nil || !goesOn {
				*failed = err
				return
			}
		}
	}
}

func yieldLines(ctx context.Context, path string, yield func(string) bool) (goesOn bool, err error) {
	lines, err := corpus.OpenLines(path)
	if err != nil {
		return false, err
	}
	defer lines.Close()
	for {
		line, err := lines.Next()
		switch {
		case err == io.EOF && lines.Number() == 0:
			return false, fmt.Errorf("%s: the file is empty", path)
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, err
		case ctx.Err() != nil:
			return false, ctx.Err()
		}
		if !yield(string(line) + "\n") {
			return false, nil
		}
	}
}

func yieldDocuments(ctx context.Context, path string, yield func(string) bool) (goesOn bool, err error) {
	texts := corpus.Texts{Files: []string{path}}
	for d, err := range texts.All() {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return false, err
		}
		if !yield(d.Text) {
			return false, nil
		}
	}
	return true, nil
}

// openTokenizer reads the tokenizer of a model directory, of an opus-mt model that of the source language, or a file by
// itself: a GGUF file, a tokenizer.json, a SentencePiece model, or tiktoken's ranks, with which GPT-2's pattern is used.
func openTokenizer(path string) (*tokenizer.Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		source, _, err := hub.LoadTokenizers(hub.ModelDir(path))
		return source, err
	}
	if hub.IsGGUF(path) {
		t, _, err := hub.LoadTokenizers(path)
		return t, err
	}
	switch filepath.Ext(strings.TrimSuffix(path, ".gz")) {
	case ".model", ".spm":
		return tokenizer.LoadSentencePiece(path)
	case ".tiktoken":
		return tokenizer.LoadTiktoken(path, tokenizer.TiktokenOptions{})
	}
	return tokenizer.Load(path)
}

func (a *app) tokenizerEncodeCommand() *cobra.Command {
	var model string
	var tokens, special bool
	c := &cobra.Command{
		Use:   "encode [TEXT...]",
		Short: "Print the ids of each line of text (of standard input if no text is given)",
		Example: `  parley tokenizer encode -m runs/quickstart/translator "The old cat sleeps."
  parley tokenizer encode -m tokenizer.json --tokens < text.txt`,
		RunE: func(c *cobra.Command, texts []string) error {
			t, err := openTokenizer(model)
			if err != nil {
				return err
			}
			encode := func(text string) []int32 { return t.Append(nil, text) }
			if special {
				encode = t.EncodeSpecial
			}
			return a.eachLine(c.Context(), texts, func(w *bufio.Writer, text string) error {
				ids := encode(text)
				if a.json {
					return printTokens(w, t, text, ids)
				}
				for i, id := range ids {
					if i > 0 {
						w.WriteByte(' ')
					}
					if token, ok := t.Token(id); tokens && ok {
						w.WriteString(token)
					} else {
						w.WriteString(strconv.Itoa(int(id)))
					}
				}
				return w.WriteByte('\n')
			})
		},
	}
	c.Flags().StringVarP(&model, "model", "m", "tokenizer.json", "tokenizer.json, .model, .spm, .tiktoken or .gguf, or a model directory or run")
	c.Flags().BoolVar(&tokens, "tokens", false, "print the tokens, not their ids")
	c.Flags().BoolVar(&special, "special", false, "recognise special tokens in the text, and add those that frame a text")
	return c
}

func (a *app) tokenizerDecodeCommand() *cobra.Command {
	var model string
	var skip bool
	c := &cobra.Command{
		Use:     "decode [ID...]",
		Short:   "Print the text of ids (one line for each line of standard input if none are given)",
		Example: `  parley tokenizer encode -m runs/quickstart/translator < text.txt | parley tokenizer decode -m runs/quickstart/translator`,
		RunE: func(c *cobra.Command, args []string) error {
			t, err := openTokenizer(model)
			if err != nil {
				return err
			}
			var lines []string
			if len(args) > 0 {
				lines = []string{strings.Join(args, " ")}
			}
			return a.eachLine(c.Context(), lines, func(w *bufio.Writer, line string) error {
				var ids []int32
				for _, f := range strings.Fields(line) {
					id, err := strconv.ParseInt(f, 10, 32)
					if err != nil || id < 0 || int(id) >= t.Size() {
						return fmt.Errorf("%q is not an id of this tokenizer (0 to %d)", f, t.Size()-1)
					}
					ids = append(ids, int32(id))
				}
				w.WriteString(t.Decode(ids, skip))
				return w.WriteByte('\n')
			})
		},
	}
	c.Flags().StringVarP(&model, "model", "m", "tokenizer.json", "tokenizer.json, .model, .spm, .tiktoken or .gguf, or a model directory or run")
	c.Flags().BoolVar(&skip, "skip-special", false, "leave special tokens out")
	return c
}

// eachLine hands the given lines, or else those of standard input, to do. What it printed goes out whenever there is no
// more input at hand, so that a program at the other end of a pipe gets its answer.
func (a *app) eachLine(ctx context.Context, lines []string, do func(w *bufio.Writer, line string) error) error {
	w := bufio.NewWriter(a.out)
	next, idle := eachOf(lines), func() bool { return false }
	if len(lines) == 0 {
		r := newLineReader(a.input(ctx), corpus.MaxLine)
		next, idle = r.next, r.idle
	}
	for number := 1; ; number++ {
		line, err := next()
		if err == io.EOF {
			return w.Flush()
		}
		if err == nil {
			err = do(w, line)
		}
		if err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("line %d: %w", number, err)
			}
			return errors.Join(w.Flush(), err)
		}
		if idle() {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

// printTokens writes one line of JSON: the text, its ids, and each token as the vocabulary spells it.
func printTokens(w *bufio.Writer, t *tokenizer.Tokenizer, text string, ids []int32) error {
	v := struct {
		Text   string   `json:"text"`
		IDs    []int32  `json:"ids"`
		Tokens []string `json:"tokens"`
	}{text, append([]int32{}, ids...), make([]string, len(ids))}
	for i, id := range ids {
		v.Tokens[i], _ = t.Token(id)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
