// Package decode turns a model's next-token logits into sequences: greedy and beam search over many sentences at once.
//
// It knows token ids, not text. A sentence gets the same output whatever other sentences are decoded beside it. Start at
// [Translator].
package decode
