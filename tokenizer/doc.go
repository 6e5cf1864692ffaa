// Package tokenizer turns text into token ids and back. It learns vocabularies of
// byte-level byte-pair encoding (Sennrich et al. 2016; on bytes: Radford et al. 2019),
// reads and writes them as tokenizer.json, the format of Hugging Face tokenizers, and
// reads what others ship: BPE of bytes and of characters, Unigram and WordPiece in
// tokenizer.json, tiktoken's ranks, SentencePiece models, and the pair of them that
// Marian's translators have. What it reads, it cuts as the library does that the format
// belongs to; a part that it lacks is an error that names the part.
//
// It knows nothing of models, batches or files other than a tokenizer's; ids are plain
// int32.
//
// Start from [Tokenizer]: [Train] learns one, [Load], [LoadTiktoken],
// [LoadSentencePiece] and [LoadMarian] read one, [Tokenizer.Append] encodes text, and
// [Tokenizer.Stream] decodes ids as they come.
//
// The path of a text through the package:
//
//	text → normalized, cut into parts by added tokens  added.go, normalizer.go
//	part → smaller parts                               pretokenizer.go
//	part → words, by a Pattern                         pattern.go
//	word → ids, remembered from before                 words.go, cache.go
//	word → ids, by merging neighbours                  bpe.go
//	       or by the best sum of scores                unigram.go
//	       or by the longest tokens                    wordpiece.go
//	ids  → with the post-processor's prefix and suffix tokenizer.go
//	ids  → text                                        decoder.go, stream.go
//
// Where words are bytes and nothing is normalized, any string, valid UTF-8 or not, is
// encoded without loss when the vocabulary holds all 256 bytes. Elsewhere a byte that is
// not UTF-8 is read as U+FFFD.
package tokenizer
