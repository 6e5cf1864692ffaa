// Package model holds the architectures: what a checkpoint's config.json describes, made of the layers of package nn.
//
// A model turns token ids into losses, logits or hidden states. It knows nothing of text, files or optimisers. The same
// code trains, scores and decodes: the tape records or does not, and attention looks at rows or at a cache. Start at
// [EncDec], a translator, or [Decoder], a language model.
package model
