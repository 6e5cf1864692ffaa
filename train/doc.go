// Package train turns a recipe into a trained model: the loop with its optimisers and schedules, validation, the run
// directory, and one objective a file.
//
// A run is a [Recipe], one TOML file that names data, tokenizer, model, objective, optimizer and schedule. [Start] carries
// it out in a run directory; [Resume] goes on after an interruption and ends with the same bits as a run that was never
// interrupted. The run directory holds
//
//	recipe.toml      the recipe as it was carried out, every field written out
//	metrics.jsonl    one JSON object a line: steps, validations, test scores
//	report.html      curves and sample translations, self-contained, rewritten at every validation
//	tokenizer.json   the vocabulary
//	checkpoints/N    weights and optimizer state after step N, and the file `latest`, which names the last whole one
//	result.json      what came out, once the run is complete
//	model/           the best model so far, as any program that knows the Hugging Face layout opens it
//
// The package knows nothing of terminals: whoever starts a run may pass a [Progress] to be told what happens.
package train
