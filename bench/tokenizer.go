package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/tokenizer"
)

// Tokenizer measures learning a byte-level BPE with GPT-2's pattern from a text, and cutting the text into its tokens
// with a tokenizer that has just been read. Without Text it is sentences of the sandbox world.
func (b *Bench) Tokenizer(ctx context.Context) error {
	text, err := b.text()
	if err != nil {
		return err
	}
	if b.Shipped != "" {
		return b.shippedTokenizer(ctx, text)
	}
	megabytes := float64(len(text)) / 1e6
	o := tokenizer.TrainOptions{VocabSize: b.Vocab, MinFrequency: 2, Pattern: tokenizer.GPT2, InitialAlphabet: true}
	if o.VocabSize == 0 {
		o.VocabSize = 10000
	}
	var file []byte
	learn, encode := make([]series, len(b.pools)), make([]series, len(b.pools))
	for repeat := range b.Repeats {
		b.say("tokenizer, %d of %d", repeat+1, b.Repeats)
		for i, p := range b.pools {
			if err := ctx.Err(); err != nil {
				return err
			}
			o.Threads = p.Threads()
			start := time.Now()
			t, err := tokenizer.Train(strings.Lines(text), o)
			if err != nil {
				return err
			}
			learn[i].rates = append(learn[i].rates, megabytes/time.Since(start).Seconds())
			if file == nil {
				if file, err = t.JSON(); err != nil {
					return err
				}
			}
			fresh, err := tokenizer.Parse(file)
			if err != nil {
				return err
			}
			fresh.Append(nil, text[:min(1000, len(text))])
			start = time.Now()
			encodeAll(fresh, text, p.Threads())
			encode[i].rates = append(encode[i].rates, megabytes/time.Since(start).Seconds())
		}
	}
	for i, p := range b.pools {
		b.add(learn[i].figure("tokenizer", fmt.Sprintf("learning %d tokens from %.1f MB", o.VocabSize, megabytes), p.Threads(), "MB/s", 1))
	}
	for i, p := range b.pools {
		b.add(encode[i].figure("tokenizer", "encoding it", p.Threads(), "MB/s", 1))
	}
	return nil
}

// shippedTokenizer measures how fast a tokenizer of somebody's cuts a text into tokens, line by line on one thread, just after it
// was read.
func (b *Bench) shippedTokenizer(ctx context.Context, text string) error {
	lines := strings.Split(text, "\n")
	var s series
	for repeat := range b.Repeats {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.say("%s, %d of %d", b.Shipped, repeat+1, b.Repeats)
		t, err := loadTokenizer(b.Shipped)
		if err != nil {
			return err
		}
		var ids []int32
		start := time.Now()
		for _, line := range lines {
			ids = t.Append(ids[:0], line)
		}
		s.rates = append(s.rates, float64(len(text))/1e6/time.Since(start).Seconds())
	}
	b.add(s.figure("tokenizer", "encoding lines with "+b.Shipped, 1, "MB/s", 1))
	return nil
}

// loadTokenizer reads a tokenizer in one of the formats that people ship.
func loadTokenizer(path string) (*tokenizer.Tokenizer, error) {
	switch filepath.Ext(path) {
	case ".model", ".spm":
		return tokenizer.LoadSentencePiece(path)
	case ".tiktoken":
		return tokenizer.LoadTiktoken(path, tokenizer.TiktokenOptions{})
	}
	return tokenizer.Load(path)
}

// encodeAll cuts a text into tokens, a part of it on each thread.
func encodeAll(t *tokenizer.Tokenizer, text string, threads int) {
	var group sync.WaitGroup
	for i := range threads {
		part := text
		if left := threads - i; left > 1 {
			end := len(text) / left
			if line := strings.IndexByte(text[end:], '\n'); line >= 0 {
				end += line + 1
			} else {
				end = len(text)
			}
			part, text = text[:end], text[end:]
		}
		if threads == 1 {
			t.Append(nil, part)
			return
		}
		group.Go(func() { t.Append(nil, part) })
	}
	group.Wait()
}

func (b *Bench) text() (string, error) {
	if b.Text != "" {
		text, err := os.ReadFile(b.Text)
		if err == nil && len(text) == 0 {
			err = fmt.Errorf("%s: empty", b.Text)
		}
		return strings.ToValidUTF8(string(text), "\ufffd"), err
	}
	pairs := 20000
	if b.Small {
		pairs = 100
	}
	var s strings.Builder
	for _, p := range sandbox.NewWorld(1).Pairs(pairs) {
		s.WriteString(p.English + "\n" + p.French + "\n")
	}
	return s.String(), nil
}
