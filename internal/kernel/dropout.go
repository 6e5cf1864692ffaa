package kernel

// Dropout says which elements of a matrix are dropped. Rate 0: none.
type Dropout struct {
	Rate float32
	Key  [2]uint32
	Ctr  [3]uint32
}
