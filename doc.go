// Package parley runs the models that the parley command trains, and those of other makers in the same layout, from Go:
// no Python, no cgo, no server beside.
//
// [Open] reads a model directory (config.json, model.safetensors, tokenizer.json) or a run of the parley command.
// [Model.Translate] translates with an encoder–decoder, [Model.Generate] continues a prompt with a decoder-only model,
// [Model.LogLikelihood] and [Model.Perplexity] say how probable text is. A Model can be used by any number of goroutines at
// once; whatever else is computed at the time, everyone gets exactly the bits that they would get alone.
package parley
