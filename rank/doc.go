// Package rank fills a store of feedback: a model answers prompts, several times each, and a judge of the sandbox may rank the
// answers in a person's place. People rank in a [feedback.Session], which knows no models. Start at [Sampler].
package rank
