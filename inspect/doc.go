// Package inspect shows what a model does with one text: its tokens, the neighbours of their embeddings, where every
// attention head looks, what the model thinks likely at each step, and of a language model what each layer would have said.
//
// It runs the same model code that trains and decodes, with an observer on the tape, and knows nothing of how that code
// works inside. Start at [Sentence] for an encoder–decoder, which returns a [Report], or at [Text] for a decoder-only model,
// which returns a [TextReport]. Reports are plain data (their JSON is the documented form); WriteText and WriteHTML are
// pictures of them.
package inspect
