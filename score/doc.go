// Package score computes how probable given tokens are under a decoder-only model.
//
// It knows token ids, not text. A [Scorer] takes [Request]s, fills its passes with the rows of as many of them as it takes to
// keep the matrix product busy, and reads what several continuations have in common once. Whatever the company, a token
// gets the bits that it gets alone, in training, and in decoding. [Windows] cuts documents of any length into requests.
package score
