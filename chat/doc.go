// Package chat turns dialogues into what models read: messages, the templates that lay them out as text, and the marks that
// say which of the tokens are the assistant's.
//
// A template is the `chat_template` of a model, in Jinja, and is rendered as `transformers` renders it (package
// internal/jinja). Text that people wrote never becomes a special token, whatever it spells ([Template.Encode]).
//
// It knows nothing of models, and of a tokenizer only that it cuts text ([Tokenizer]). Start from [NewTemplate] or [ChatML].
package chat
