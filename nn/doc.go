// Package nn holds parameters and the layers that models are made of: linear, normalisation, attention with or without rotary
// positions, feed-forward, and the paged cache of keys and values that decoding uses.
//
// A layer is a few parameters and a forward method that calls operations of package grad; the derivative comes with the
// operations. Layers know nothing of architectures, files or training. Start at [Store], which owns the parameters.
package nn
