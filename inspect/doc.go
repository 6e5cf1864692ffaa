// Package inspect shows what a translation model does with one sentence: its tokens, the neighbours of their embeddings,
// where every attention head looks, and what the decoder thinks likely at each step.
//
// It runs the same model code that trains and decodes, with an observer on the tape, and knows nothing of how that code
// works inside. Start at [Sentence], which returns a [Report]; the report is plain data (its JSON is the documented
// form), and [Report.WriteText] and [Report.WriteHTML] are pictures of it.
package inspect
