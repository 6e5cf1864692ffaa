// Package tokenizer turns text into token ids and back with byte-level byte-pair
// encoding (Sennrich et al. 2016; on bytes: Radford et al. 2019), learns such
// vocabularies, and reads and writes them as tokenizer.json, the format of
// Hugging Face tokenizers.
//
// It knows nothing of models, batches or files other than tokenizer.json; ids
// are plain int32.
//
// Start from [Tokenizer]: [Train] learns one, [Load] reads one, and
// [Tokenizer.Append] encodes text.
//
// The path of a text through the package:
//
//	text → added tokens cut it into parts     added.go
//	part → words, by a Pattern                pattern.go
//	word → ids, remembered from before        cache.go
//	word → ids, by merging neighbours         bpe.go
//	ids  → post-processor's prefix and suffix tokenizer.go
//
// Every step works on bytes, so any string, valid UTF-8 or not, is encoded
// without loss when the vocabulary holds all 256 bytes.
package tokenizer
