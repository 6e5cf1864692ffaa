package tokenizer

import (
	"iter"
	"strings"
	"sync"
)

// wordCounts is how often each word occurs.
type wordCounts struct {
	index map[string]int32
	words []string
	times []int64
}

func newWordCounts() *wordCounts { return &wordCounts{index: map[string]int32{}} }

func (c *wordCounts) add(word string, times int64) {
	i, ok := c.index[word]
	if !ok {
		i = int32(len(c.words))
		word = strings.Clone(word) // a part of a text would keep all of it in memory
		c.index[word] = i
		c.words = append(c.words, word)
		c.times = append(c.times, 0)
	}
	c.times[i] += times
}

// countWords cuts texts into words and counts them, on several threads. The counts
// do not depend on the number of threads; the order of the words does.
func countWords(texts iter.Seq[string], s splitter, threads int) *wordCounts {
	jobs := make(chan []string, threads)
	counts := make([]*wordCounts, threads)
	var wait sync.WaitGroup
	for i := range counts {
		counts[i] = newWordCounts()
		wait.Go(func() {
			for job := range jobs {
				for _, text := range job {
					for from := 0; from < len(text); {
						to := s.next(text, from)
						counts[i].add(text[from:to], 1)
						from = to
					}
				}
			}
		})
	}
	for job := range portions(texts) {
		jobs <- job
	}
	close(jobs)
	wait.Wait()
	for _, c := range counts[1:] {
		for i, word := range c.words {
			counts[0].add(word, c.times[i])
		}
	}
	return counts[0]
}

// portionBytes is about how much text a thread counts at a time.
const portionBytes = 1 << 18

// portions groups short texts and cuts long ones.
func portions(texts iter.Seq[string]) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		var job []string
		size := 0
		for text := range texts {
			for text != "" {
				end := border(text, portionBytes)
				job = append(job, text[:end])
				size += end
				text = text[end:]
				if size >= portionBytes {
					if !yield(job) {
						return
					}
					job, size = nil, 0
				}
			}
		}
		if size > 0 {
			yield(job)
		}
	}
}

// border returns a place at or after from where every pattern ends a word whatever
// stands before and after: a space between two ASCII letters. It is the end of text
// if there is no such place.
func border(text string, from int) int {
	for i := from; i+1 < len(text); i++ {
		if text[i] == ' ' && asciiLetter(text[i-1]) && asciiLetter(text[i+1]) {
			return i
		}
	}
	return len(text)
}

func asciiLetter(c byte) bool { return byteClass[c] == letter }
