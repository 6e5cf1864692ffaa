// Package tensor holds what every layer above the kernels shares: an arena for activations and the description of a
// ragged batch.
//
// It knows nothing of derivatives, layers or models. A batch is a matrix [N, D]: the tokens of many sequences laid end
// to end with no padding; [Starts] says where each sequence begins. Start reading there and at [Arena].
package tensor
