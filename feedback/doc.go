// Package feedback keeps what people think of a model's answers: prompts, several answers to each, and rankings of them,
// with ties and "cannot judge", by any number of raters (Stiennon et al. 2020, Ouyang et al. 2022). Start from [Store].
//
// A store is a SQLite file, which needs no server, or a PostgreSQL database for raters on several machines. Every ranking is
// one transaction: whatever is killed, and whenever, at most the ranking being typed is lost. It knows texts and orders,
// not models: sampling answers and learning from rankings happen elsewhere.
package feedback
