// Package bench measures kernels, training, decoding and tokenizing, and gives the figures as a share of what the processor
// can do: its rate of multiply-adds, measured in the same run.
//
// Clock rates move and machines are shared, so each measurement stands between two of the peak and is divided by the
// higher one, and both are taken the same way: the best of the moments that fit in a short window. What is reported is
// the median of several such windows, with the lowest and the highest. Start at [New].
package bench
