package kernel

// records are the descriptions of work that the kernels of one Pool fill in again at each call, so that none is
// allocated.
type records struct {
	attention         attentionTask
	attentionBackward attentionBackwardTask
	loss              lossTask
	rows              rowTasks
}
