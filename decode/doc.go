// Package decode turns a model's next-token logits into sequences: greedy and beam search over many sentences at once, and
// sampling, search and choice after many prompts at once.
//
// It knows token ids, not text. A sentence or prompt gets the same output whatever others are decoded beside it. Start at
// [Translator] for encoder–decoders, at [Generator] for decoder-only models.
package decode
