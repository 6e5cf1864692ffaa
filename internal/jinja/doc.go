// Package jinja renders chat templates as `transformers` does: Jinja 3.1 with trim_blocks and lstrip_blocks in its immutable
// sandbox, `break` and `continue`, the `generation` block, and the functions raise_exception, strftime_now, namespace, dict and
// range. It knows nothing of messages, tokens or models. Start from [Parse].
//
// Values follow Python, not Go: floats print as repr does, // and % round down, strings are counted in characters, dicts keep
// their order, and what Python refuses (None + "a", an attribute of an undefined name) is an error with its line, because a
// template that goes on with something else writes a prompt that the model never saw.
//
// A template comes with a model that somebody published, so it is not trusted: nothing of the machine but the clock can be
// reached, values cannot be changed, and work, nesting and output have limits. Inheritance and imports need other templates
// and are refused.
//
// There are two Go libraries that would do most of it. gonja v2.9.1 does not know a conditional expression inside another,
// `is not false` or `//` of a negative number, and its range() leaks goroutines; ardanlabs/jinja v1.8.0 (the last for this Go)
// ignores map's filter, prints floats and quotes in its own way, takes errors for empty strings and cannot be stopped.
package jinja
